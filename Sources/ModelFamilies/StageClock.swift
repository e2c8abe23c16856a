import KVCacheRuntime

/// Divides the time of a generation among its stages: each lap begins where the one before it ended, so that nothing
/// falls between them and stages add up to the whole.
public struct StageClock: Sendable {
    private let now: @Sendable () -> Double
    private var last: Double

    /// Starts. `now` reads seconds from a clock that only goes forward; by default the system's.
    public init(_ now: @escaping @Sendable () -> Double = { CacheTimes.now }) {
        self.now = now
        last = now()
    }

    /// The seconds since the last lap, or since the start.
    public mutating func lap() -> Double {
        let time = now()
        defer { last = time }
        return time - last
    }
}
