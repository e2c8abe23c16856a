import Evaluation
import Foundation
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// The commands on a class-conditional model: the same path as for texts, from classes to a report.
@Suite struct ClassModelTests {
    private let model: TinyVARModel
    private let texts: TinyModel
    private let results = ResultsFolder()
    private let prompts: String

    init() throws {
        model = try TinyVARModel()
        texts = try TinyModel()
        prompts = results.file("classes.jsonl")
        try AtomicFile.write(TinyVARModel.corpus(3), to: prompts)
    }

    private func cursor(_ name: String) throws -> JSONCursor {
        let text = String(decoding: try results.bytes(name), as: UTF8.self)
        return JSONCursor(try JSONValue.parse(text, name: name), place: name)
    }

    @Test func fromClassesToReport() throws {
        let statistics = results.file("s.h5"), profile = results.file("p.json"), full = results.file("full.json")
        let calibrated = try Tool.succeed([
            "calibrate", "--model", model.path, "--prompts", prompts, "--out", statistics, "--progress", "none",
            "--report", results.file("calibration.json"),
        ])
        #expect(calibrated.hasPrefix("3 prompts -> \(statistics), "))
        let run = try cursor("calibration.json").member("run")
        #expect(try run.member("pictures").integer() == 3 && run.member("probed_pictures").integer() == 2)
        for part in ["measuring", "measuring_each", "disturbing", "saving"] {
            #expect(try run.member("seconds").member(part).number() > 0, "\(part)")
        }
        try Tool.succeed([
            "compile", statistics, "--keep", "10%", "--out", profile, "--refine", "2", "--model", model.path,
            "--prompts", prompts, "--progress", "none",
        ])
        let compiled = try Profile(contentsOf: profile)
        #expect(compiled.model.family == "var" && compiled.model.layers == 2 && compiled.plan != nil)
        try Tool.succeed(["compile", statistics, "--keep", "100%", "--policy", "uniform", "--out", full])
        #expect(try Tool.succeed(["show", statistics]).contains("3 of 3 prompts"))
        #expect(try Tool.succeed(["show", profile]).contains("pooling-plan"))
        try Tool.succeed(["verify", full, "--model", model.path, "--statistics", statistics])

        func draw(_ name: String, _ more: [String]) throws -> [[UInt8]] {
            try Tool.succeed(
                ["generate", "--model", model.path, "--prompts", prompts, "--out", results.file(name)] + more)
            return try (0..<3).map { try results.bytes("\(name)/000\($0).png") }
        }
        let plain = try draw("plain", ["--batch", "3"])
        #expect(Set(plain).count == 3, "every class has its own picture")
        let dry = try Tool.succeed([
            "generate", "--model", model.path, "--prompts", prompts, "--out", results.file("dry"), "--dry-run",
            "--profile", profile,
        ])
        #expect(try dry.contains("would draw 3 pictures of 128 x 128 pixels") && !results.listing().contains("dry"))
        let sheet = try Tool.succeed(["show", model.path, "--profile", profile])
        #expect(sheet.contains("(var), 2 layers x 2 heads of 32, width 64") && sheet.contains("12 classes"))
        #expect(sheet.contains("96 codes of 32 channels") && !sheet.contains("text"))
        #expect(try draw("whole", ["--profile", full]) == plain, "a full budget changes nothing")
        let report = results.file("report.json")
        let small = try draw("small", ["--profile", profile, "--report", report])
        #expect(small != plain)
        #expect(try draw("smooth", ["--more-smooth"]) != plain)
        try Tool.succeed(["generate", "--model", model.path, "--class", "1", "--out", results.file("one.png")])
        #expect(try results.bytes("one.png") == plain[1])
        let root = try cursor("report.json")
        let bytes = try root.member("lastBatch").member("resident_bytes")
        #expect(try bytes.member("peak").integer() == compiled.residentBytes)
        #expect(try root.member("prompts").elements().map { try $0.string() } == ["class 0", "class 1", "class 2"])

        let printed = try Tool.succeed([
            "eval", "--model", model.path, "--prompts", prompts, "--profile", profile, "--profile", full, "--limit",
            "2", "--out", results.file("report"), "--attach",
        ])
        #expect(printed.contains("equal tokens") && printed.contains("KL, nats/token"), "\(printed)")
        let evidence = try #require(try Profile(contentsOf: full).evidence)
        func mean(_ metric: String) -> Double? { evidence.figures.first { $0.metric == metric }?.mean }
        #expect(mean("bitAgreement") == 1 && mean("forcedDecodingKLNats") == 0, "\(evidence.figures)")
        let lossy = try #require(try Profile(contentsOf: profile).evidence)
        #expect(lossy.figures.contains { $0.metric == "forcedDecodingKLNats" && $0.mean > 0 })

        let frontier = try Tool.succeed([
            "frontier", "--model", model.path, "--statistics", statistics, "--prompts", prompts, "--limit", "1",
            "--seeds", "1", "--budgets", "20%", "--methods", "sliding-window", "--storage", "float32", "--out",
            results.file("frontier"),
        ])
        #expect(frontier.contains("equal tokens") && frontier.contains("sliding-window"), "\(frontier)")
    }

    /// What does not belong together, before any work and with nothing left behind.
    @Test func classesAndTextsAreNotMixedUp() throws {
        let words = results.file("texts.jsonl"), far = results.file("far.jsonl")
        try AtomicFile.write(TinyVARModel.corpus(1) + "{\"prompt\":\"a cat\"}\n", to: words)
        try AtomicFile.write(TinyVARModel.corpus(2) + "{\"class\":12}\n", to: far)
        let refusals: [([String], [String])] = [
            (
                ["generate", "--model", model.path, "--prompt", "a cat", "--out", results.file("a.png")],
                ["expected a class from 0 to 11, as the model 'var-b' draws", "found the text \"a cat\"", "--class"]
            ),
            (
                ["generate", "--model", model.path, "--class", "12", "--out", results.file("a.png")],
                ["expected a class from 0 to 11", "found class 12"]
            ),
            (
                ["generate", "--model", texts.path, "--class", "3", "--out", results.file("a.png")],
                ["expected a text, as the model 'tiny' draws", "found class 3", "--prompt"]
            ),
            (
                [
                    "generate", "--model", texts.path, "--class", "3", "--out", results.file("a.png"), "--dry-run",
                ],
                ["expected a text, as the model 'tiny' draws", "found class 3"]
            ),
            (
                ["calibrate", "--model", model.path, "--prompts", words, "--out", results.file("s.h5")],
                ["prompt 2: expected a class", "found the text \"a cat\""]
            ),
            (
                ["calibrate", "--model", model.path, "--prompts", far, "--out", results.file("s.h5")],
                ["prompt 3: expected a class from 0 to 11", "found class 12"]
            ),
            (
                ["calibrate", "--model", texts.path, "--prompts", prompts, "--out", results.file("s.h5")],
                ["prompt 1: expected a text", "found class 0"]
            ),
            (
                ["generate", "--model", texts.path, "--prompt", "a", "--more-smooth", "--out", results.file("a.png")],
                ["expected drawn codes", "mixed codes"]
            ),
        ]
        for (arguments, texts) in refusals {
            let refused = try Tool.run(arguments)
            #expect(refused.exitCode == 1, "\(arguments)")
            for text in texts { #expect(refused.errors.contains(text), "\(refused.errors)") }
        }
        let usage = try Tool.run(["generate", "--model", model.path, "--class", "1", "--prompt", "a", "--out", "a.png"])
        #expect(usage.exitCode == 64 && usage.errors.contains("--class N"), "\(usage.errors)")
        #expect(try results.listing() == ["classes.jsonl", "far.jsonl", "texts.jsonl"])
    }
}
