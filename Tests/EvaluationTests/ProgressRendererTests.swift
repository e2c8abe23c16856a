import Generation
import Synchronization
import Testing
import VernierCore

@testable import Evaluation

@Suite struct ProgressRendererTests {
    /// What a renderer writes for a series of reports of 20 units, half a second each.
    private func output(_ style: ProgressStyle, isTerminal: Bool = false, total: Int = 20) -> String {
        let text = Log()
        let renderer = ProgressRenderer(style: style, isTerminal: isTerminal) { text.append($0) }
        for done in 0...total {
            renderer.handler(
                ProgressReport(done: done, total: total, stage: "generating", elapsedSeconds: Double(done) / 2))
        }
        renderer.finish()
        return text.text
    }

    private final class Log: Sendable {
        private let content = Mutex("")
        var text: String { content.withLock { $0 } }
        func append(_ more: String) { content.withLock { $0 += more } }
    }

    @Test func plainOutputIsOneLineATenth() {
        let lines = output(.plain).split(separator: "\n")
        #expect(lines.count == 11)
        #expect(lines[0] == "generating: 0 % (0 of 20), 0.0 s")
        #expect(lines[1] == "generating: 10 % (2 of 20), 1.0 s, about 9.0 s left")
        #expect(lines[10] == "generating: 100 % (20 of 20), 10.0 s")
        #expect(output(.auto) == output(.plain))
        #expect(output(.plain, total: 3).split(separator: "\n").count == 4)
    }

    @Test func theBarRedrawsOneLine() {
        let text = output(.auto, isTerminal: true)
        let frames = text.components(separatedBy: "\r\u{1B}[K")
        #expect(frames.count == 22)
        #expect(frames[0].isEmpty)
        #expect(frames[11] == "[############------------] generating: 50 % (10 of 20), 5.0 s, about 5.0 s left")
        #expect(frames[21] == "[########################] generating: 100 % (20 of 20), 10.0 s\n")
        #expect(text.filter { $0 == "\n" }.count == 1)
    }

    @Test func theBarIsNotRedrawnTooOften() {
        let text = Log()
        let renderer = ProgressRenderer(style: .auto, isTerminal: true) { text.append($0) }
        for done in 0...1_000 {
            renderer.show(ProgressReport(done: done, total: 1_000, stage: "a", elapsedSeconds: Double(done) / 1_000))
        }
        #expect((10...12).contains(text.text.filter { $0 == "\r" }.count))
        #expect(text.text.hasSuffix("100 % (1000 of 1000), 1.0 s\n"))
    }

    @Test func anInterruptedBarEndsWithANewLine() {
        let text = Log()
        let renderer = ProgressRenderer(style: .auto, isTerminal: true) { text.append($0) }
        renderer.show(ProgressReport(done: 1, total: 2, stage: "first", elapsedSeconds: 1))
        renderer.show(ProgressReport(done: 1, total: 2, stage: "second", elapsedSeconds: 1))
        renderer.finish()
        renderer.finish()
        #expect(text.text.filter { $0 == "\n" }.count == 2)
        #expect(text.text.hasSuffix("left\n"))
    }

    @Test func jsonIsOneObjectAReport() throws {
        let lines = output(.json).split(separator: "\n")
        #expect(lines.count == 21)
        #expect(
            lines[0]
                == """
                {"done": 0, "elapsedSeconds": 0.0, "remainingSecondsEstimate": null, "stage": "generating", "total": 20}
                """)
        let value = JSONCursor(try JSONValue.parse(String(lines[5]), name: "line"), place: "line")
        #expect(try value.member("remainingSecondsEstimate").number() == 7.5)
    }

    @Test func noneIsSilent() { #expect(output(.none, isTerminal: true).isEmpty) }

    @Test func stylesHaveNames() {
        #expect(ProgressStyle.all.map(\.description) == ["auto", "plain", "json", "none"])
        for style in ProgressStyle.all { #expect(ProgressStyle(named: style.description) == style) }
        #expect(ProgressStyle(named: "loud") == nil)
    }

    @Test(arguments: [
        (0.04, "0.0 s"), (59.9, "59.9 s"), (59.96, "1 min 00 s"), (65, "1 min 05 s"), (3_599.4, "59 min 59 s"),
        (3_600, "1 h 00 min"), (7_500, "2 h 05 min"), (.infinity, "? s"), (.nan, "? s"), (-1, "0.0 s"),
    ]) func durationsAreReadable(seconds: Double, text: String) {
        #expect(ProgressRenderer.duration(seconds) == text)
    }

    @Test func reportsStayWithinTheirWork() {
        let over = ProgressReport(done: 7, total: 5, stage: "", elapsedSeconds: 1)
        #expect(over.done == 5 && over.doneShare == 1 && over.remainingSecondsEstimate == 0)
        let under = ProgressReport(done: -1, total: -2, stage: "", elapsedSeconds: 1)
        #expect(under.done == 0 && under.total == 0 && under.doneShare == 1)
        #expect(ProgressReport(done: 0, total: 4, stage: "", elapsedSeconds: 1).remainingSecondsEstimate == nil)
        #expect(ProgressReport(done: 1, total: 4, stage: "", elapsedSeconds: 2).remainingSecondsEstimate == 6)
    }
}
