import ArgumentParser
import Evaluation
import Generation

/// How progress is shown, on standard error.
struct ProgressOption: ParsableArguments {
    @Option(help: "Show progress: auto (a bar on a terminal), plain, json or none.")
    var progress: String = "auto"

    func validate() throws {
        guard ProgressStyle(named: progress) != nil else {
            let names = ProgressStyle.all.map(\.description).joined(separator: ", ")
            throw ValidationError("--progress: expected one of \(names), found '\(progress)'.")
        }
    }

    /// Runs `body` with a progress handler and closes an open bar afterwards, also on failure.
    func run<Result>(_ body: (@escaping ProgressHandler) throws -> Result) rethrows -> Result {
        let renderer = ProgressRenderer(style: ProgressStyle(named: progress) ?? .none)
        defer { renderer.finish() }
        return try body(renderer.handler)
    }
}
