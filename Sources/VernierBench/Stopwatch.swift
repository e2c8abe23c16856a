/// Times pieces of work.
enum Stopwatch {
    /// Seconds of one run of `body`.
    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock(), start = clock.now
        try body()
        return (clock.now - start) / .seconds(1)
    }

    /// Seconds of one run of `body`, the mean of as many as fill about a twentieth of a second.
    static func secondsEach(_ body: () -> Void) -> Double {
        var count = 1
        while true {
            let seconds = seconds { for _ in 0..<count { body() } }
            if seconds > 0.05 || count > 1 << 20 { return seconds / Double(count) }
            count *= seconds < 0.005 ? 8 : 2
        }
    }
}
