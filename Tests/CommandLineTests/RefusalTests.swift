import Foundation
import TestSupport
import Testing

/// What the tool refuses: with which exit code, in which words, and that nothing is left behind.
@Suite struct RefusalTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        let arguments: String
        let exitCode: Int32
        let texts: [String]
        var testDescription: String { arguments }

        init(_ arguments: String, _ exitCode: Int32, _ texts: String...) {
            self.arguments = arguments
            self.exitCode = exitCode
            self.texts = texts
        }
    }

    private static let calibrate = "calibrate --model {model} --prompts {prompts.jsonl} --out {out}/s.h5"
    private static let compile = "compile {s.h5} --out {out}/p.json"
    private static let generate = "generate --model {model} --prompt square --out {out}/a.png"
    private static let rank = "rank --model {model} --prompts {prompts.jsonl} --out {out}/r"
    private static let frontier = "frontier --model {model} --prompts {prompts.jsonl} --out {out}/f"
    private static let evaluate = "eval --model {model} --prompts {prompts.jsonl} --out {out}/r"

    /// Arguments (`{name}` stands for a file of the workshop), exit code, and what standard error must say.
    static let refusals: [Refusal] = [
        // A profile of another model.
        Refusal(generate + " --profile {foreign.json}", 1, "foreign.json: the profile of", "weights digest"),
        Refusal(evaluate + " --profile {foreign.json}", 1, "foreign.json: the profile of", "weights digest"),
        Refusal("verify {foreign.json} --model {model}", 1, "foreign.json: the profile of", "weights digest"),
        Refusal("verify {p.json} --model {foreign}", 1, "p.json: the profile of", "weights digest"),
        Refusal("verify {p.json} --statistics {foreign.h5}", 1, "p.json", "weights digest"),
        Refusal("verify {edited.json} --statistics {s.h5}", 1, "edited.json", "compiling the statistics again"),
        // Schedules: the tiny model has its own.
        Refusal(generate + " --aspect 4:3", 1, "schedule: expected a model of Infinity's official schedules"),
        Refusal(calibrate + " --resolution 1M", 1, "to choose the resolution 1M for, found one with its own"),
        Refusal(evaluate + " --profile {p.json} --aspect 1", 1, "to choose the aspect 1:1 for"),
        Refusal(generate + " --aspect 21:9", 64, "aspect \"21:9\": expected one of 1:1, 4:5,"),
        Refusal(calibrate + " --resolution 2M", 64, "resolution \"2M\": expected one of 0.06M, 0.25M, 0.60M, 1M"),
        // Model directories and dry runs.
        Refusal("show {model} --aspect 4:3", 1, "schedule: expected a model of Infinity's official schedules"),
        Refusal("show {model} --profile {foreign.json}", 1, "foreign.json: the profile of", "weights digest"),
        Refusal("show {model} --text-tokens 0", 64, "--text-tokens: expected a whole number of at least 1"),
        Refusal("show {model} --statistics {s.h5}", 1, "--statistics", "found a model directory"),
        Refusal("show {p.json} --aspect 4:3", 1, "p.json: expected a model directory"),
        Refusal("show", 64, "Give either a file or --like NAME"),
        Refusal("show {model} --like infinity-2b", 64, "Give either a file or --like NAME"),
        Refusal("show --like infinity-3b", 1, "model: expected one of infinity-125m, infinity-2b, infinity-8b"),
        Refusal("show {no-model}", 1, "no-model: expected the files", "no config.json"),
        Refusal(generate + " --dry-run --profile {foreign.json}", 1, "foreign.json: the profile of", "weights digest"),
        // Other projects' files.
        Refusal("import {notes.txt} --from scalekv-json --like infinity-2b --out {out}/p.json", 1, "notes.txt, line 1"),
        Refusal(
            "import {p.json} --from scalekv-json --like infinity-2b --out {out}/p.json", 1,
            "p.json: expected only the members Scale 9"),
        Refusal(
            "import {p.json} --from heatkv-order --keep 10% --like infinity-2b --out {out}/p.json", 1,
            "only the members metadata, orders"),
        Refusal(
            "import {p.json} --from heatkv-order --keep 10 --like infinity-2b --out {out}/p.json", 1,
            "--keep: expected a share such as 10%"),
        Refusal("import {p.json} --from scalekv --like infinity-2b --out {out}/p.json", 64, "--from: expected one of"),
        Refusal(
            "import {p.json} --from scalekv-json --like infinity --out {out}/p.json", 1,
            "model: expected one of infinity-125m, infinity-2b, infinity-8b"),
        Refusal("import {p.json} --from scalekv-json --out {out}/p.json", 64, "Give either --like NAME or --model"),
        Refusal("import {p.json} --from heatkv-order --like infinity-2b --out {out}/p.json", 64, "--keep 10%"),
        Refusal(
            "import {p.json} --from scalekv-json --keep 10% --like infinity-2b --out {out}/p.json", 64,
            "a budget file has its own budget"),
        Refusal(
            "import {p.json} --from scalekv-json --boundary --like infinity-2b --out {out}/p.json", 64,
            "--boundary goes with heatkv-order"),
        Refusal(
            "import {p.json} --from scalekv-rows --model {model} --out {out}/p.json", 64, "give --like NAME"),
        Refusal(
            "import {p.json} --from scalekv-json --storage int3 --like infinity-2b --out {out}/p.json", 1,
            "--storage: expected one of float32"),
        Refusal("export {p.json} --to scalekv --out {out}/b.json", 64, "--to: expected one of scalekv-json"),
        Refusal(
            "export {p.json} --to scalekv-json --out {out}/b.json", 1,
            "p.json: expected the schedule that the released",
            "expected 32 or 40 layers"),
        Refusal("export {cut.json} --to scalekv-json --out {out}/b.json", 1, "cut.json, line"),
        // Conversion.
        Refusal("convert {notes.txt} --out {out}/m", 1, "notes.txt: expected safetensors, an index"),
        Refusal("convert {no-model} --out {out}/m", 1, "no-model: expected files of weights, found none"),
        Refusal("convert {cut-model} --out {out}/m", 1, "transformer.safetensors", "bytes"),
        Refusal("convert {model} --out {out}/a/b", 1, "b: expected a folder that can be written"),
        Refusal("convert {model} --out {model}", 1, "found a folder with files"),
        Refusal("convert {model} {foreign} --out {out}/m", 1, "expected one transformer, found 2", "Name the files"),
        Refusal("convert {model} --heads 0 --out {out}/m", 64, "--heads: expected a whole number of at least 1"),
        Refusal("convert {model} --resolution 2M --out {out}/m", 64, "expected one of 0.06M"),
        Refusal("convert --out {out}/m", 64, "sources"),
        // Synthetic checkpoints.
        Refusal("synth --like var-d12 --out {out}/m", 1, "model: expected one of infinity-125m, infinity-2b"),
        Refusal(
            "synth --like infinity-125m --out {out}/m", 1, "infinity-125m: expected --spiece FILE", "spiece.model of a"),
        Refusal("synth --like var-d16 --spiece {notes.txt} --out {out}/m", 1, "var-d16: expected no text encoder"),
        Refusal("synth --like infinity-2b --spiece {notes.txt} --out {out}/m", 1, "notes.txt"),
        Refusal(
            "synth --like var-d16 --out {model}", 1, "expected nothing, or an empty folder, found a folder with files"),
        Refusal("synth --like var-d16 --out {out}/a/b", 1, "b: expected a folder that can be written"),
        Refusal(
            "synth --like var-d16 --weights int8 --out {out}/m", 64, "--weights: expected one of float32, bfloat16"),
        Refusal("synth --like infinity-2b --text-layers 0 --out {out}/m", 64, "--text-layers: expected a whole number"),
        // Damaged files.
        Refusal("generate --model {cut-model} --prompt a --out {out}/a.png", 1, "transformer.safetensors", "bytes"),
        Refusal(
            "calibrate --model {cut-model} --prompts {prompts.jsonl} --out {out}/s.h5", 1, "transformer.safetensors"),
        Refusal(
            "generate --model {nan-model} --prompt a --out {out}/a.png", 1, "transformer.safetensors",
            "block_chunks.0.module.1.ffn.fc1.weight", "found nan at index 17"),
        Refusal(
            "calibrate --model {nan-model} --prompts {prompts.jsonl} --out {out}/s.h5", 1, "transformer.safetensors",
            "found nan at index 17"),
        Refusal(
            "generate --model {mixed-model} --prompt a --out {out}/a.png", 1, "tokenizer.safetensors",
            "decoder.conv_in.weight': expected shape [32, 4, 3, 3], found [32, 32, 3, 3]"),
        Refusal("compile {cut.h5} --keep 10% --out {out}/p.json", 1, "cut.h5: expected bytes", "cut short"),
        Refusal("show {cut.h5}", 1, "cut.h5: expected bytes", "cut short"),
        Refusal("verify {p.json} --statistics {cut.h5}", 1, "cut.h5: expected bytes"),
        Refusal(generate + " --profile {cut.json}", 1, "cut.json, line"),
        Refusal("show {cut.json}", 1, "cut.json, line"),
        Refusal("verify {cut.json}", 1, "cut.json, line"),
        Refusal(evaluate + " --profile {cut.json}", 1, "cut.json, line"),
        Refusal("compile {p.json} --keep 10% --out {out}/p.json", 1, "p.json: expected a Vernier statistics file"),
        Refusal("show {notes.txt}", 1, "notes.txt: expected a Vernier statistics file"),
        Refusal(generate + " --profile {s.h5}", 1, "s.h5, line 1"),
        Refusal(
            "generate --model {no-model} --prompt a --out {out}/a.png", 1, "no-model: expected the files",
            "no config.json"),
        // Prompts.
        Refusal(
            "calibrate --model {model} --prompts {empty.jsonl} --out {out}/s.h5", 1,
            "empty.jsonl: expected at least one prompt, found none"),
        Refusal(
            "generate --model {model} --prompts {empty.jsonl} --out {out}/d", 1,
            "empty.jsonl: expected at least one prompt"),
        Refusal(
            "eval --model {model} --prompts {empty.jsonl} --profile {p.json} --out {out}/r", 1,
            "empty.jsonl: expected at least one prompt"),
        Refusal(
            "calibrate --model {model} --prompts {bad.jsonl} --out {out}/s.h5", 1, "bad.jsonl, line 2",
            "expected a string, found 3"),
        Refusal("generate --model {model} --prompts {bad.jsonl} --out {out}/d", 1, "bad.jsonl, line 2"),
        Refusal("eval --model {model} --prompts {bad.jsonl} --profile {p.json} --out {out}/r", 1, "bad.jsonl, line 2"),
        Refusal(
            "generate --model {model} --prompts {out}/none.jsonl --out {out}/d", 1, "none.jsonl: cannot open the file"),
        // Storage formats.
        Refusal(
            compile + " --keep 10% --storage int3", 1,
            "--storage: expected one of float32, bfloat16, int8, int4, auto, found \"int3\""),
        Refusal(
            compile + " --keep 10% --storage auto --policy uniform", 1,
            "storage: expected the policy 'rate-distortion' with pooling-plan or position-plan, to choose"),
        // What is shown with what.
        Refusal("show {p.json} --json --statistics {s.h5}", 64, "--statistics is for people"),
        Refusal("show {s.h5} --statistics {s.h5}", 1, "--statistics: expected a profile"),
        // Budgets.
        Refusal(compile + " --keep 0%", 1, "budget \"0%\": expected a share above 0 %"),
        Refusal(compile + " --keep 101%", 1, "budget \"101%\": expected a share above 0 % and at most 100 %"),
        Refusal(compile + " --keep 10", 1, "--keep: expected a share such as 10%", "Write the percent sign"),
        Refusal(compile + " --tokens 0", 1, "budget: expected more than 0"),
        Refusal(compile + " --tokens nan", 1, "budget: expected more than 0"),
        Refusal(compile + " --bytes 1KW", 1, "budget \"1KW\"", "KiB"),
        Refusal(compile, 64, "Give exactly one budget"),
        Refusal(compile + " --keep 10% --tokens 4", 64, "Give exactly one budget"),
        Refusal(compile + " --keep 10% --bytes 900KB", 64, "Give exactly one budget"),
        // Policies and rules.
        Refusal(compile + " --keep 10% --policy best", 1, "policy: expected one of rate-distortion,", "found \"best\""),
        Refusal(compile + " --keep 10% --selection best", 1, "\"best\""),
        Refusal(
            compile + " --keep 10% --policy uniform --set floor=2", 1, "policy 'uniform'", "unknown parameter \"floor\""
        ),
        Refusal(compile + " --keep 40% --drafters 100000", 1, "drafters"),
        // A place that is not there.
        Refusal("generate --model {model} --prompt a --out {out}/missing/a.png", 1, "a.png", "missing/a.png", "folder"),
        Refusal(generate + " --report {out}/missing/r.json", 1, "r.json", "folder"),
        Refusal(
            "calibrate --model {model} --prompts {prompts.jsonl} --out {out}/missing/s.h5", 1, "s.h5", "missing/s.h5",
            "folder"),
        Refusal("compile {s.h5} --keep 40% --out {out}/missing/p.json", 1, "p.json", "missing/p.json", "folder"),
        Refusal(
            "eval --model {model} --prompts {prompts.jsonl} --profile {p.json} --out {notes.txt}/r", 1, "notes.txt/r"),
        Refusal("generate --model {model} --prompts {prompts.jsonl} --out {notes.txt}", 1, "notes.txt"),
        // Usage.
        Refusal("generate --model {model} --out {out}/a.png", 64, "Give either --prompt TEXT or --prompts"),
        Refusal(generate + " --prompts {prompts.jsonl}", 64, "Give either --prompt TEXT or --prompts"),
        Refusal("generate --model {model} --prompts {prompts.jsonl} --out {out}/a.png", 64, "--out: expected a folder"),
        Refusal(generate + " --batch 0", 64, "--batch: expected a whole number of at least 1, found 0"),
        Refusal(generate + " --temperature 0", 64, "--temperature: expected a finite number above 0"),
        Refusal(generate + " --guidance inf", 64, "--guidance: expected a finite number"),
        Refusal(generate + " --guidance 1,,2", 64, "'1,,2' is invalid for '--guidance"),
        Refusal(generate + " --guidance 1,2,-1", 64, "--guidance: expected a finite number"),
        Refusal(generate + " --guidance 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", 1, "guidance: expected at most"),
        Refusal(generate + " --guidance-layers 1", 64, "guidance layers: expected different numbers"),
        Refusal(generate + " --guidance-layers=0,-99", 1, "guidance layers: expected -"),
        Refusal(generate + " --negative-prompt=", 64, "Missing value for '--negative-prompt"),
        Refusal(calibrate + " --guidance 1,2", 1, "calibration: expected one guidance"),
        Refusal(generate + " --top-p 1.5", 64, "--top-p: expected a number from 0 to 1"),
        Refusal(generate + " --progress loud", 64, "--progress: expected one of auto"),
        Refusal(calibrate + " --limit 0", 64, "--limit: expected a whole number of at least 1, found 0"),
        Refusal(calibrate + " --save-every 0", 64, "--save-every"),
        Refusal(calibrate + " --top-counts 1,,4", 64, "--top-counts: expected whole numbers"),
        Refusal(calibrate + " --top-counts 4,1", 1, "top counts that ascend", "[4, 1]"),
        Refusal(evaluate, 64, "--profile"),
        Refusal(evaluate + " --profile {p.json} --seeds 0", 64, "--seeds"),
        Refusal(evaluate + " --profile {p.json} --profile {p.json}", 1, "'p' appears twice"),
        Refusal(evaluate + " --profile {p.json} --amplify 0", 64, "--amplify: expected a whole number from 1 to 255"),
        Refusal("calibrate --prompts {prompts.jsonl} --out {out}/s.h5", 64, "--model"),
        // Overlaps.
        Refusal("overlap {p.json}", 64, "<second>"),
        Refusal("overlap {p.json} {cut.json}", 1, "cut.json, line"),
        Refusal("overlap {s.h5} {cut.h5}", 1, "cut.h5: expected bytes"),
        Refusal("overlap {s.h5} {s.h5} --policy best", 1, "policy: expected one of rate-distortion,"),
        Refusal("overlap {s.h5} {s.h5} --keep 0%", 1, "expected a share above 0 %"),
        // Frontiers.
        Refusal(frontier + " --statistics {foreign.h5}", 1, "statistics: expected weights digest"),
        Refusal(frontier + " --statistics {s.h5} --methods random,best", 1, "methods: expected some of", "\"best\""),
        Refusal(frontier + " --statistics {s.h5} --budgets 10%,x", 1, "budget \"x\""),
        Refusal(frontier + " --statistics {s.h5} --budgets 10%,10%", 1, "expected each budget once"),
        Refusal(frontier + " --statistics {s.h5} --against best", 1, "a method 'best' to compare with"),
        Refusal(frontier + " --statistics {s.h5} --storage int7", 64, "--storage: expected some of float32"),
        Refusal(frontier + " --statistics {s.h5} --seeds 0", 64, "--seeds"),
        Refusal(frontier + " --statistics {p.json}", 1, "p.json: expected a Vernier statistics file"),
        // Rankings.
        Refusal(rank + " --statistics {foreign.h5}", 1, "statistics: expected weights digest"),
        Refusal(rank + " --statistics {s.h5} --keep 9", 1, "--keep: expected a share such as 10%"),
        Refusal(rank + " --statistics {s.h5} --least 50%", 1, "--least: expected a share of at most --most"),
        Refusal(rank + " --statistics {s.h5} --count 3", 64, "--count: expected a whole number of at least 4"),
        Refusal("paint", 64, "paint"),
    ]

    @Test(arguments: refusals) func isRefusedAndWritesNothing(_ refusal: Refusal) throws {
        let workshop = try Workshop.shared.get()
        let results = ResultsFolder()
        let arguments = refusal.arguments.split(separator: " ").map { workshop.expand(String($0), out: results.path) }
        let outcome = try Tool.run(arguments)
        #expect(outcome.exitCode == refusal.exitCode && !outcome.wasKilled, "\(outcome)")
        let errors = outcome.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")  // may be wrapped
        for text in refusal.texts { #expect(errors.contains(text), "expected '\(text)' in: \(outcome.errors)") }
        #expect(outcome.errors.hasPrefix("Error: "), "\(outcome.errors)")
        #expect(try results.listing() == [])
    }

    /// A file that stands where the result should go survives a failure as it was.
    @Test(arguments: [
        Refusal("compile {cut.h5} --keep 10% --out {out}/old", 1, "cut.h5"),
        Refusal("compile {s.h5} --keep 0% --out {out}/old", 1, "budget"),
        Refusal(
            "calibrate --model {nan-model} --prompts {prompts.jsonl} --out {out}/old", 1, "transformer.safetensors"),
        Refusal(
            "calibrate --model {model} --prompts {prompts.jsonl} --out {out}/old --resume", 1,
            "old: expected a Vernier statistics file"),
        Refusal(
            "generate --model {cut-model} --prompt a --report {out}/old --out {out}/a.png", 1, "transformer.safetensors"
        ),
    ])
    func anOldFileSurvives(_ refusal: Refusal) throws {
        let workshop = try Workshop.shared.get()
        let results = ResultsFolder()
        try Data("an old file".utf8).write(to: URL(fileURLWithPath: results.file("old")))
        let arguments = refusal.arguments.split(separator: " ").map { workshop.expand(String($0), out: results.path) }
        let outcome = try Tool.run(arguments)
        #expect(outcome.exitCode == refusal.exitCode)
        for text in refusal.texts { #expect(outcome.errors.contains(text), "\(outcome.errors)") }
        #expect(try results.bytes("old") == Array("an old file".utf8))
        #expect(try results.listing() == ["old"])
    }

    @Test func resumingUnderOtherSettingsNamesThemAndKeepsTheFile() throws {
        let workshop = try Workshop.shared.get()
        let results = ResultsFolder()
        let paths = workshop.paths
        let arguments = [
            "calibrate", "--model", paths["model"] ?? "", "--prompts", paths["prompts.jsonl"] ?? "", "--out",
            results.file("s.h5"),
        ]
        try Tool.succeed(arguments)
        let before = try results.bytes("s.h5")
        let outcome = try Tool.run(arguments + ["--resume", "--seed", "7", "--limit", "2", "--guidance", "3"])
        #expect(outcome.exitCode == 1)
        for text in [
            "s.h5: ", "expected seed 7, found 0", "expected guidance 3.0, found 2.0", "expected 2 prompts in all",
        ] {
            #expect(outcome.errors.contains(text), "\(outcome.errors)")
        }
        #expect(try results.bytes("s.h5") == before)
        #expect(try results.listing() == ["s.h5"])
    }

    @Test func aCutFileIsNotResumed() throws {
        let paths = try Workshop.shared.get().paths
        let results = ResultsFolder()
        let cut = [UInt8](try Data(contentsOf: URL(fileURLWithPath: try #require(paths["cut.h5"]))))
        try Data(cut).write(to: URL(fileURLWithPath: results.file("saved.h5")))
        let outcome = try Tool.run([
            "calibrate", "--model", try #require(paths["model"]), "--prompts", try #require(paths["prompts.jsonl"]),
            "--out", results.file("saved.h5"), "--resume",
        ])
        #expect(outcome.exitCode == 1 && outcome.errors.contains("saved.h5: expected bytes"), "\(outcome)")
        #expect(try results.bytes("saved.h5") == cut)
        #expect(try results.listing() == ["saved.h5"])
    }
}
