import Foundation
import StatisticsFile
import TestSupport
import Testing
import VernierCore

/// A calibration that is killed in the middle, as by a power cut, and resumed.
@Suite struct InterruptionTests {
    private static let promptCount = 150

    @Test(.timeLimit(.minutes(5))) func aKilledCalibrationResumesToTheSameBytes() throws {
        let model = try #require(try Workshop.shared.get().paths["model"])
        let results = ResultsFolder()
        try AtomicFile.write(TinyModel.corpus(Self.promptCount), to: results.file("many.jsonl"))
        let settings = ["calibrate", "--model", model, "--prompts", results.file("many.jsonl")]
        try Tool.succeed(settings + ["--out", results.file("whole.h5")])

        let interrupted = settings + ["--save-every", "1", "--batch", "1", "--out", results.file("killed.h5")]
        let process = try Tool.start(
            interrupted, output: URL(fileURLWithPath: results.file("out")),
            errors: URL(fileURLWithPath: results.file("err")))
        while process.isRunning, !FileManager.default.fileExists(atPath: results.file("killed.h5")) { usleep(500) }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try #require(
            process.terminationReason == .uncaughtSignal, "it had ended before it was killed: take more prompts")

        // Whole and readable, whenever the kill came.
        let saved = try StatisticsFile.read(results.file("killed.h5"))
        #expect(saved.promptCount > 0 && saved.promptCount < Self.promptCount, "\(saved.promptCount)")
        #expect(try results.bytes("killed.h5") != results.bytes("whole.h5"))
        let shown = try Tool.succeed(["show", results.file("killed.h5")])
        #expect(shown.contains("\(saved.promptCount) of \(Self.promptCount) prompts (incomplete"), "\(shown)")

        let printed = try Tool.succeed(settings + ["--out", results.file("killed.h5"), "--resume"])
        #expect(printed.contains("\(Self.promptCount) prompts (\(saved.promptCount) of them from the saved run)"))
        #expect(try results.bytes("killed.h5") == results.bytes("whole.h5"))
    }

    @Test func resumeWithoutASavedFileStartsAnew() throws {
        let paths = try Workshop.shared.get().paths
        let results = ResultsFolder()
        try Tool.succeed([
            "calibrate", "--model", try #require(paths["model"]), "--prompts", try #require(paths["prompts.jsonl"]),
            "--out", results.file("s.h5"), "--resume",
        ])
        let expected = try Data(contentsOf: URL(fileURLWithPath: try #require(paths["s.h5"])))
        #expect(try results.bytes("s.h5") == [UInt8](expected))
    }
}
