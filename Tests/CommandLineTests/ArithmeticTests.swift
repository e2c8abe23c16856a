import CalibrationStatistics
import Foundation
import ProfileFormat
import StatisticsFile
import TensorKernels
import TestSupport
import Testing
import VernierCore

/// `VERNIER_ARITHMETIC` decides numbers, so what is made under it says so.
@Suite(.enabled(if: Arithmetic.bfloat16.isSupported)) struct ArithmeticTests {
    private let workshop: Workshop
    private let results = ResultsFolder()
    private let narrow = ["VERNIER_ARITHMETIC": "bfloat16"], wide = ["VERNIER_ARITHMETIC": "float32"]

    init() throws { workshop = try Workshop.shared.get() }

    private func path(_ name: String) throws -> String { try #require(workshop.paths[name]) }

    @Test func statisticsSayInWhichArithmeticTheyWereMeasured() throws {
        let file = results.file("narrow.h5")
        let calibrate = [
            "calibrate", "--model", try path("model"), "--prompts", try path("prompts.jsonl"), "--out", file,
        ]
        try Tool.succeed(calibrate, environment: narrow)
        let settings = try StatisticsFile.readSummary(file).settings
        #expect(settings.arithmetic == .bfloat16)
        #expect(try Tool.succeed(["show", file]).contains(", bfloat16 arithmetic\n"))
        #expect(try !Tool.succeed(["show", path("s.h5")]).contains("arithmetic"))
        let refused = try Tool.run(calibrate + ["--resume", "--progress", "none"], environment: wide)
        #expect(refused.exitCode == 1 && refused.errors.contains("expected arithmetic float32, found bfloat16"))
        try Tool.succeed(calibrate + ["--resume"], environment: narrow)
    }

    @Test func evidenceSaysInWhichArithmeticItWasMeasured() throws {
        let profile = results.file("p.json")
        try AtomicFile.write(try String(contentsOfFile: path("p.json"), encoding: .utf8), to: profile)
        let evaluate = [
            "eval", "--model", try path("model"), "--prompts", try path("prompts.jsonl"), "--profile", profile,
            "--limit", "2", "--attach", "--out", results.file("report"),
        ]
        for (environment, arithmetic) in [(narrow, Arithmetic.bfloat16), (wide, .float32)] {
            try Tool.succeed(evaluate, environment: environment)
            #expect(try Profile(contentsOf: profile).evidence?.sampling.arithmetic == arithmetic)
            let isNarrow = arithmetic == .bfloat16
            #expect(try Tool.succeed(["show", profile]).contains("bfloat16 arithmetic") == isNarrow)
            let settings = String(decoding: try results.bytes("report/settings.json"), as: UTF8.self)
            #expect(settings.contains("\"arithmetic\": \"bfloat16\"") == isNarrow, "\(settings)")
        }
    }
}
