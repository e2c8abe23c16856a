/// How far a long piece of work has come.
public struct ProgressReport: Sendable, Hashable {
    /// Units finished, between 0 and ``total``.
    public let done: Int
    /// Units in all; what a unit is depends on the work (scales, prompts, cells).
    public let total: Int
    /// What is being done, in a few words for people, for example `generating`.
    public let stage: String
    /// Seconds since the work began.
    public let elapsedSeconds: Double

    /// Makes a report; `done` and `total` are brought into `0 <= done <= total`.
    public init(done: Int, total: Int, stage: String, elapsedSeconds: Double) {
        self.total = max(total, 0)
        self.done = min(max(done, 0), self.total)
        self.stage = stage
        self.elapsedSeconds = elapsedSeconds
    }

    /// The finished share of the work, 0 to 1; empty work counts as finished.
    public var doneShare: Double { total == 0 ? 1 : Double(done) / Double(total) }

    /// The seconds still to go if the rest runs at the mean speed so far; nil before the first unit is finished.
    public var remainingSecondsEstimate: Double? {
        guard total > 0 else { return 0 }
        guard done > 0 else { return nil }
        return elapsedSeconds / Double(done) * Double(total - done)
    }
}

/// Receives reports while work goes on, on the thread that works; must return quickly.
public typealias ProgressHandler = @Sendable (ProgressReport) -> Void
