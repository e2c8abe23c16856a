import Evaluation
import TestSupport
import Testing
import VernierCore

/// One checkpoint at several of Infinity's official schedules, through the commands.
@Suite struct ScheduleTests {
    @Test func aCheckpointRunsOtherSchedulesAndAProfileNamesItsOwn() throws {
        // Set up for 1:1 at 0.06M; one token is one pixel here.
        let model = try TinyModel(sides: [1, 2, 4, 6, 8, 12, 16], ropeSide: 64)
        let results = ResultsFolder()
        try AtomicFile.write(TinyModel.corpus(1), to: results.file("prompts.jsonl"))
        func generate(_ name: String, _ more: [String] = []) throws -> [UInt8] {
            try Tool.succeed(
                ["generate", "--model", model.path, "--prompt", "square", "--out", results.file(name)] + more)
            return try results.bytes(name)
        }
        let standard = try generate("standard.png")
        #expect(try generate("square.png", ["--resolution", "0.06M", "--aspect", "1:1"]) == standard)
        _ = try generate("wide.png", ["--aspect", "4:3"])
        let wide = try PNGFile.read(results.file("wide.png"))
        #expect(wide.width == 20 && wide.height == 15)
        _ = try generate("tall.png", ["--aspect", "1.75"])
        let tall = try PNGFile.read(results.file("tall.png"))
        #expect(tall.width == 12 && tall.height == 21)

        // A profile of 4:3 runs there, at every aspect that means it, and nowhere else.
        let statistics = results.file("wide.h5"), profile = results.file("wide.json")
        try Tool.succeed([
            "calibrate", "--model", model.path, "--prompts", results.file("prompts.jsonl"), "--signs", "0",
            "--sensitivity-prompts", "0", "--aspect", "0.75", "--out", statistics,
        ])
        try Tool.succeed(["compile", statistics, "--keep", "30%", "--policy", "uniform", "--out", profile])
        #expect(try generate("small.png", ["--profile", profile, "--aspect", "4:3"]) != results.bytes("wide.png"))
        #expect(
            try Tool.succeed(["verify", profile, "--model", model.path, "--aspect", "4:3"]).contains("fits the model"))
        let outcome = try Tool.run([
            "generate", "--model", model.path, "--prompt", "square", "--out", results.file("refused.png"), "--profile",
            profile,
        ])
        #expect(outcome.exitCode == 1)
        for text in ["(4:3 at 0.06M), found", "(1:1 at 0.06M)", "--resolution 0.06M --aspect 4:3"] {
            #expect(outcome.errors.contains(text), "\(outcome.errors)")
        }
        #expect(!outcome.errors.contains("digest"), "\(outcome.errors)")
    }
}
