import Generation

/// Counts runs of pictures over the whole frontier: a unit is one picture drawn or forced once.
final class FrontierProgress {
    private let handler: ProgressHandler?
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var done = 0
    private var total: Int

    init(total: Int, handler: ProgressHandler?) {
        self.total = total
        self.handler = handler
        start = clock.now
    }

    /// Work turned out to be done already.
    func skip(_ units: Int) { total -= units }

    /// Work was finished.
    func advance(_ units: Int, _ stage: String) {
        done += units
        let seconds = (clock.now - start) / .seconds(1)
        handler?(ProgressReport(done: done, total: max(total, done), stage: stage, elapsedSeconds: seconds))
    }
}
