import Foundation
import Generation
import Synchronization
import VernierCore

/// Shows progress on a terminal, in a log or to another program.
///
/// ```swift
/// let renderer = ProgressRenderer(style: .auto)
/// try generate(progress: renderer.handler)
/// renderer.finish()
/// ```
public final class ProgressRenderer: Sendable {
    private enum Form: Sendable {
        case bar, plain, json, nothing
    }

    private struct State: Sendable {
        var stage: String?
        var lastTenth = -1
        var lastDrawSeconds = -Double.infinity
        var isLineOpen = false
    }

    /// A bar is redrawn at most this often, but always at the end.
    static let redrawSeconds = 0.1
    static let barColumns = 24

    private let form: Form
    private let output: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// Makes a renderer that writes to standard error.
    public convenience init(style: ProgressStyle) {
        let terminal = ProcessInfo.processInfo.environment["TERM"] ?? ""
        self.init(style: style, isTerminal: isatty(2) == 1 && terminal != "dumb") { text in
            FileHandle.standardError.write(Data(text.utf8))
        }
    }

    /// Makes a renderer with an output of its own; `isTerminal` decides what ``ProgressStyle/auto`` means.
    public init(style: ProgressStyle, isTerminal: Bool, output: @escaping @Sendable (String) -> Void) {
        self.output = output
        form =
            switch style {
            case .auto: isTerminal ? .bar : .plain
            case .plain: .plain
            case .json: .json
            default: .nothing
            }
    }

    /// The callback to hand to long work; may be called from any thread.
    public var handler: ProgressHandler { { [self] in show($0) } }

    /// Shows one report.
    public func show(_ report: ProgressReport) {
        state.withLock { state in
            switch form {
            case .nothing: break
            case .json: output(Self.jsonLine(report))
            case .plain: showPlain(report, &state)
            case .bar: showBar(report, &state)
            }
        }
    }

    /// Ends an open bar with a new line; call it when the work is over, also when it failed.
    public func finish() {
        state.withLock { state in
            if state.isLineOpen { output("\n") }
            state = State()
        }
    }

    // MARK: Forms

    private func showPlain(_ report: ProgressReport, _ state: inout State) {
        if state.stage != report.stage { state = State(stage: report.stage) }
        let tenth = Int(report.doneShare * 10)
        guard tenth > state.lastTenth else { return }
        state.lastTenth = tenth
        output("\(Self.text(report))\n")
    }

    private func showBar(_ report: ProgressReport, _ state: inout State) {
        if state.stage != report.stage {
            if state.isLineOpen { output("\n") }
            state = State(stage: report.stage)
        }
        let isOver = report.done == report.total
        guard isOver || report.elapsedSeconds - state.lastDrawSeconds >= Self.redrawSeconds else { return }
        if isOver && !state.isLineOpen && state.lastDrawSeconds > -.infinity { return }  // drawn and ended already
        state.lastDrawSeconds = report.elapsedSeconds
        let filled = Int(report.doneShare * Double(Self.barColumns))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: Self.barColumns - filled)
        // Carriage return and "erase to the end of the line": the new line replaces the old one.
        output("\r\u{1B}[K[\(bar)] \(Self.text(report))\(isOver ? "\n" : "")")
        state.isLineOpen = !isOver
    }

    /// `generating: 50 % (3 of 6), 1.2 s, about 1.2 s left`
    private static func text(_ report: ProgressReport) -> String {
        var text = "\(report.stage): \(Int(report.doneShare * 100)) % (\(report.done) of \(report.total))"
        text += ", \(duration(report.elapsedSeconds))"
        if report.done < report.total, let rest = report.remainingSecondsEstimate {
            text += ", about \(duration(rest)) left"
        }
        return text
    }

    private static func jsonLine(_ report: ProgressReport) -> String {
        let value: JSONValue = [
            "done": .integer(Int64(report.done)), "total": .integer(Int64(report.total)),
            "stage": .string(report.stage), "elapsedSeconds": .number(report.elapsedSeconds),
            "remainingSecondsEstimate": report.remainingSecondsEstimate.map(JSONValue.number) ?? .null,
        ]
        return (try? value.canonicalLine()).map { "\($0)\n" } ?? ""  // only a clock that is not finite cannot be told
    }

    /// `3.2 s`, `1 min 05 s`, `2 h 05 min`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "? s" }
        if seconds < 59.95 { return String(format: "%.1f s", max(seconds, 0)) }
        let whole = Int(seconds.rounded())
        if whole < 3_600 { return String(format: "%d min %02d s", whole / 60, whole % 60) }
        return String(format: "%d h %02d min", whole / 3_600, whole % 3_600 / 60)
    }
}
