#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Seconds that threads spent in a cache since it was last reset, summed over the threads: on two threads an interval in
/// which both work counts twice.
public struct CacheTimes: Sendable, Hashable {
    /// Attending, scores for rules included.
    public internal(set) var attendingSeconds = 0.0
    /// Choosing, merging and storing what stays.
    public internal(set) var retainingSeconds = 0.0

    /// Seconds of a clock that only goes forward; about 25 ns a call.
    public static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }
}
