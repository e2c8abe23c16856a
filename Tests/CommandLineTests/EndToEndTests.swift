import Evaluation
import Foundation
import ProfileFormat
import StatisticsFile
import TestSupport
import Testing
import VernierCore

/// The commands one after the other on the tiny model.
@Suite struct EndToEndTests {
    private let workshop: Workshop
    private let results = ResultsFolder()
    private let model: String
    private let prompts: String

    init() throws {
        workshop = try Workshop.shared.get()
        model = try #require(workshop.paths["model"])
        prompts = try #require(workshop.paths["prompts.jsonl"])
    }

    private func path(_ name: String) throws -> String { try #require(workshop.paths[name]) }

    private func generate(_ name: String, _ more: [String] = []) throws -> [[UInt8]] {
        try Tool.succeed(["generate", "--model", model, "--prompts", prompts, "--out", results.file(name)] + more)
        return try (0..<3).map { try results.bytes("\(name)/000\($0).png") }
    }

    @Test func picturesAreTheSameTwiceAndWhateverTheBatch() throws {
        let single = try generate("1")
        #expect(try results.listing() == ["1", "1/0000.png", "1/0001.png", "1/0002.png"])
        #expect(try generate("again") == single)
        #expect(try generate("3", ["--batch", "3"]) == single)
        #expect(try generate("2", ["--batch", "2", "--limit", "3"]) == single)
        #expect(Set(single).count == 3, "every prompt has its own picture")
        #expect(try generate("seed", ["--seed", "1"]) != single)
        #expect(try generate("guidance", ["--guidance", "1"]) != single)
        for index in 0..<3 {
            let picture = try PNGFile.read(results.file("1/000\(index).png"))
            #expect(picture.width == TinyModel.pictureSide && picture.height == TinyModel.pictureSide)
            #expect(Set(picture.pixels).count > 4, "the picture is no flat colour")
        }
        // One prompt by itself, into a file.
        let text = try #require(TinyModel.corpus(1).split(separator: "\"").dropFirst(3).first)
        try Tool.succeed(["generate", "--model", model, "--prompt", String(text), "--out", results.file("a.png")])
        #expect(try results.bytes("a.png") == single[0])
    }

    /// What guidance leads away from, how strongly at which scale, and where in the model.
    @Test func guidanceIsTakenScaleByScaleAndWithNegativePrompts() throws {
        let standard = try generate("standard")
        #expect(try generate("list", ["--guidance", "2,2"]) == standard, "the model's guidance, written out")
        let none = try generate("none", ["--guidance", "1"])
        #expect(try generate("late", ["--guidance", "1,1,2"]) != none)
        #expect(try generate("late none", ["--guidance", "1,1,1"]) == none)
        #expect(try generate("inside", ["--guidance-layers=-1"]) != standard)
        #expect(try generate("logits", ["--guidance-layers", "0"]) == standard)
        let negative = try generate("negative", ["--negative-prompt", "two blue circles"])
        #expect(negative != standard)
        // The prompt's own counts before the command's.
        let rows = TinyModel.corpus(3).split(separator: "\n").map {
            $0.replacingOccurrences(of: #"{"prompt""#, with: #"{"negative_prompt":"two blue circles","prompt""#)
        }
        let corpus = results.file("negative.jsonl")
        try AtomicFile.write(rows.joined(separator: "\n"), to: corpus)
        try Tool.succeed([
            "generate", "--model", model, "--prompts", corpus, "--negative-prompt", "one red star", "--out",
            results.file("rows"),
        ])
        #expect(try (0..<3).map { try results.bytes("rows/000\($0).png") } == negative)
    }

    @Test func aFullBudgetChangesNoByteOfThePictures() throws {
        let plain = try generate("plain")
        for policy in ["uniform", "scalekv", "pyramid"] {
            let profile = results.file("\(policy).json")
            try Tool.succeed([
                "compile", path("s.h5"), "--keep", "100%", "--policy", policy, "--out", profile,
            ])
            #expect(try generate(policy, ["--profile", profile, "--batch", "2"]) == plain, "\(policy)")
        }
        #expect(try generate("small", ["--profile", try path("p.json")]) != plain, "a smaller cache shows")
    }

    @Test func theReportStatesBytesThatAgree() throws {
        func report(_ name: String, _ more: [String]) throws -> (predicted: Int, peak: Int, full: Int, kept: JSONCursor)
        {
            let arguments = ["--prompt", "a red square", "--out", results.file("\(name).png"), "--report"]
            let printed = try Tool.succeed(["generate", "--model", model] + arguments + [results.file(name)] + more)
            let text = String(decoding: try results.bytes(name), as: UTF8.self)
            let root = JSONCursor(try JSONValue.parse(text, name: name), place: name)
            let batch = try root.member("lastBatch")
            let bytes = try batch.member("resident_bytes")
            let predicted = try bytes.member("predicted").integer()
            #expect(printed.contains("predicted \(predicted) bytes, measured \(predicted)"), "\(printed)")
            return (
                predicted, try bytes.member("peak").integer(), try bytes.member("full_cache").integer(),
                try batch.member("kept_tokens")
            )
        }
        let plain = try report("plain.json", [])
        // 2 branches, 2 layers, 2 heads, history 14; key and value of 16 Float32 each.
        #expect(plain.full == 8 * 14 * 2 * 16 * 4 && plain.predicted == plain.full && plain.peak == plain.full)
        let small = try report("small.json", ["--profile", try path("p.json")])
        #expect(small.full == plain.full && small.peak == small.predicted && small.predicted < small.full)
        let profile = try Profile(contentsOf: path("p.json"))
        #expect(small.predicted == profile.residentBytes)
        // The whole history in narrow formats, 16 channels: key and value of 2, 1 and 1/2 bytes a channel, and scales.
        for (name, bytesPerSlot) in [("bfloat16", 64), ("int8", 40), ("int4", 20)] {
            let file = results.file("\(name).json")
            try Tool.succeed(["compile", path("s.h5"), "--keep", "100%", "--storage", name, "--out", file])
            let narrow = try report("\(name)-report.json", ["--profile", file])
            #expect(narrow.predicted == 8 * 14 * bytesPerSlot && narrow.peak == narrow.predicted, "\(name)")
            #expect(narrow.full == narrow.predicted, "in the profile's own format")
            #expect(try Tool.succeed(["show", file]).contains(name))
            try Tool.succeed(["verify", file, "--model", model, "--statistics", path("s.h5")])
        }
        // [branch][scale][layer][head] as the profile has it.
        for (branch, scales) in try small.kept.elements(count: 2).enumerated() {
            for (scale, layers) in try scales.elements(count: 4).enumerated() {
                for (layer, heads) in try layers.elements(count: 2).enumerated() {
                    #expect(
                        try heads.integers() == (0..<2).map { profile.capacities[branch, scale, layer, $0] },
                        "branch \(branch), scale \(scale), layer \(layer)")
                }
            }
        }
    }

    @Test func fromPromptsToReport() throws {
        let statistics = results.file("s.h5")
        let profile = results.file("half.json")
        let calibrate = ["calibrate", "--model", model, "--prompts", prompts, "--out", statistics]
        let plan = try Tool.succeed(calibrate + ["--dry-run"])
        #expect(plan.contains("3 of 3") && plan.contains("tiny: 2 layers, 2 heads, 4 scales, history 14 tokens"))
        #expect(try results.listing() == [], "a dry run writes nothing")
        #expect(try Tool.succeed(calibrate).hasPrefix("3 prompts -> \(statistics), "))
        let expected = [UInt8](try Data(contentsOf: URL(fileURLWithPath: try path("s.h5"))))
        #expect(try results.bytes("s.h5") == expected)
        let compiled = try Tool.succeed([
            "compile", statistics, "--keep", "50%", "--policy", "scalekv", "--selection", "attention-mass",
            "--drafters", "2", "--out", profile, "--explain",
        ])
        #expect(compiled.contains("scalekv") && compiled.contains("50.0 % of 14 tokens"), "\(compiled)")
        #expect(try Profile(contentsOf: profile).policy.parameters["drafters"] == 2)
        let pooled = results.file("pooled.json")
        let refined = try Tool.succeed([
            "compile", statistics, "--keep", "50%", "--refine", "3", "--model", model, "--prompts", prompts,
            "--progress", "none", "--out", pooled,
        ])
        #expect(refined.contains("rate-distortion + pooling-plan") && refined.contains("refined on 3 prompts"))
        let ours = try Profile(contentsOf: pooled)
        #expect(ours.plan != nil && ours.selection.parameters.integer("refinedPrompts") == 3)
        // Two pictures of two prompts: four in all, and the corpus is known again.
        let doubled = results.file("doubled.h5")
        let said = try Tool.succeed([
            "calibrate", "--model", model, "--prompts", prompts, "--out", doubled, "--pictures", "2", "--limit", "2",
        ])
        #expect(said.hasPrefix("4 pictures of 2 prompts -> \(doubled), "))
        #expect(said.contains("halves of 2 and 2 prompts: groups agree "), "\(said)")
        #expect(try Tool.succeed(["show", doubled]).contains("halves of 2 and 2 prompts: groups agree "))
        let again = try Tool.succeed([
            "compile", doubled, "--keep", "50%", "--refine", "4", "--model", model, "--prompts", prompts,
            "--progress", "none", "--out", results.file("again.json"),
        ])
        #expect(again.contains("refined on 4 prompts"))
        let shown = try Tool.succeed(["show", pooled, "--statistics", statistics])
        #expect(shown.contains("pooling-plan") && shown.contains("Predicted cost by layer and scale"), "\(shown)")
        // Bits bought with the currency of slots.
        let chosen = results.file("chosen.json")
        let auto = try Tool.succeed([
            "compile", statistics, "--bytes", "2500", "--storage", "auto", "--out", chosen,
        ])
        #expect(auto.contains(" in "), "\(auto)")
        let bought = try Profile(contentsOf: chosen)
        #expect(bought.residentBytes <= 2500 && bought.policy.parameters["storage"] == "auto")

        #expect(try Tool.succeed(["show", profile]).contains("scalekv"))
        #expect(
            try Tool.succeed(["show", profile, "--json"]) == String(contentsOfFile: profile, encoding: .utf8) + "\n")
        #expect(try Tool.succeed(["show", statistics]).contains("3 of 3 prompts"))
        let summary = try JSONValue.parse(try Tool.succeed(["show", statistics, "--json"]), name: "show")
        #expect(try JSONCursor(summary, place: "show").member("prompts").integer() == 3)
        let verified = try Tool.succeed(["verify", profile, "--model", model, "--statistics", statistics])
        #expect(verified.split(separator: "\n").count == 3 && verified.contains("fits the model tiny"), "\(verified)")

        let printed = try Tool.succeed([
            "eval", "--model", model, "--prompts", prompts, "--profile", profile, "--profile", path("p.json"),
            "--seeds",
            "2", "--out", results.file("report"),
        ])
        #expect(
            try results.listing() == [
                "again.json", "chosen.json", "doubled.h5", "half.json", "pooled.json", "report",
                "report/contact-sheet.png", "report/report.json",
                "report/report.md",
                "report/settings.json", "s.h5",
            ])
        let markdown = String(decoding: try results.bytes("report/report.md"), as: UTF8.self)
        #expect(printed == markdown + "\n")
        let rows = markdown.split(separator: "\n").filter { $0.hasPrefix("| ") }
        for name in ["full cache", "half", "p"] { #expect(rows.contains { $0.hasPrefix("| \(name) ") }, "\(markdown)") }
        #expect(try PNGFile.read(results.file("report/contact-sheet.png")).width > 3 * TinyModel.pictureSide)
        let json = try Tool.succeed([
            "eval", "--model", model, "--prompts", prompts, "--profile", profile, "--json", "--limit", "1",
            "--amplify", "4", "--out", results.file("second"),
        ])
        // Full cache, profile and difference: three rows of pictures that are enlarged to 144 pixels.
        #expect(try PNGFile.read(results.file("second/contact-sheet.png")).height >= 3 * 144)
        let root = JSONCursor(try JSONValue.parse(json, name: "eval"), place: "eval")
        #expect(try root.member("rows").elements().count == 2)
    }

    @Test func overlapComparesProfilesAndStatistics() throws {
        let same = try Tool.succeed(["overlap", path("p.json"), path("p.json")])
        #expect(same.contains("capacities  1.000") && same.contains("groups      1.000"), "\(same)")
        #expect(same.contains("verdict     the same profile for practical purposes"), "\(same)")
        // The statistics behind a profile give that profile again.
        #expect(try Tool.succeed(["overlap", path("s.h5"), path("p.json")]) == same)
        let two = try Tool.succeed(["overlap", path("s.h5"), path("foreign.h5"), "--keep", "40%", "--json"])
        let root = JSONCursor(try JSONValue.parse(two, name: "overlap"), place: "overlap")
        #expect(try root.member("format").string() == "vernier-overlap")
        #expect(try (0...1).contains(root.member("capacityOverlap").number()))
        #expect(try root.member("groupAgreement").value == .null)
        let other = try Tool.succeed(["overlap", path("p.json"), path("other.json")])
        #expect(other.contains("verdict     different profiles"), "\(other)")
    }

    @Test func stabilityIsToldAfterCalibratingAndShown() throws {
        try AtomicFile.write(TinyModel.corpus(6), to: results.file("six.jsonl"))
        let printed = try Tool.succeed([
            "calibrate", "--model", model, "--prompts", results.file("six.jsonl"), "--out", results.file("six.h5"),
        ])
        let lines = printed.split(separator: "\n").suffix(2), line = try #require(lines.first)
        #expect(line.contains("stable for 6 prompts: "), "\(printed)")
        #expect(lines.last?.hasPrefix("halves of 3 and 3 prompts: groups agree ") == true, "\(printed)")
        let shown = try Tool.succeed(["show", results.file("six.h5")])
        #expect(shown.contains("\n\(line)\n") && shown.contains("  2 prompts: capacities overlap "), "\(shown)")
        #expect(!(try Tool.succeed(["show", path("s.h5")])).contains("stable for"), "three prompts tell nothing")
    }

    @Test func evidenceIsAttachedShownAndChecked() throws {
        let profile = results.file("p.json")
        try AtomicFile.write(try String(contentsOfFile: path("p.json"), encoding: .utf8), to: profile)
        let plain = try Profile(contentsOf: profile)
        let evaluate = [
            "eval", "--model", model, "--prompts", prompts, "--profile", profile, "--seeds", "2", "--out",
            results.file("report"),
        ]
        try Tool.succeed(evaluate)
        #expect(try Profile(contentsOf: profile) == plain, "nothing is attached unasked")
        try Tool.succeed(evaluate + ["--attach", "--limit", "2"])
        let proven = try Profile(contentsOf: profile)
        let evidence = try #require(proven.evidence)
        #expect(try evidence.profileDigest == plain.digest() && proven.contentDigest() == plain.digest())
        #expect(
            evidence.promptCount == 2 && evidence.seeds == [0, 1] && evidence.toolVersion == VernierVersion.current)
        #expect(
            evidence.sampling == EvidenceSampling(guidance: [2], temperature: [1], topK: 0, topP: Double(Float(0.97))))
        #expect(evidence.figures.map(\.metric).contains("psnrDecibels"))
        // The figures are the report's.
        let text = String(decoding: try results.bytes("report/report.json"), as: UTF8.self)
        let root = JSONCursor(try JSONValue.parse(text, name: "report.json"), place: "report.json")
        let estimates = try root.member("rows").elements()[1].member("estimates")
        for figure in evidence.figures {
            #expect(try estimates.member(figure.metric).member("low").number() == figure.low, "\(figure)")
        }
        let shown = try Tool.succeed(["show", profile])
        #expect(
            shown.contains("proof      2 held-out prompts x 2 seeds") && shown.contains("psnrDecibels "), "\(shown)")
        try Tool.succeed(["verify", profile, "--model", model, "--statistics", path("s.h5")])
        // Measured again, the evidence is the same, and so are the bytes.
        let before = try results.bytes("p.json")
        try Tool.succeed(evaluate + ["--attach", "--limit", "2"])
        #expect(try results.bytes("p.json") == before)
        // Someone else's evidence is refused.
        let other = String(decoding: before, as: UTF8.self).replacing("\"seed\": \"0\"", with: "\"seed\": \"1\"")
        #expect(Array(other.utf8) != before)
        try AtomicFile.write(other, to: profile)
        let refused = try Tool.run(["show", profile])
        #expect(refused.exitCode == 1 && refused.errors.contains("expected evidence of this profile"), "\(refused)")
    }

    @Test func aFrontierIsResumedToTheSameBytes() throws {
        func run(_ name: String, _ more: [String] = []) throws -> String {
            try Tool.succeed(
                [
                    "frontier", "--model", model, "--statistics", try path("s.h5"), "--prompts", prompts, "--budgets",
                    "20%,50%", "--methods", "sliding-window,snapkv", "--against", "snapkv", "--seeds", "1",
                    "--storage", "float32", "--out",
                    results.file(name),
                ] + more)
        }
        let plan = try run("whole", ["--dry-run"])
        #expect(plan.split(separator: "\n").count == 12 && plan.contains("snapkv 50 % float32 (window 4 x 4): "))
        #expect(try results.listing() == [])
        let printed = try run("whole")
        #expect(printed == String(decoding: try results.bytes("whole/frontier.md"), as: UTF8.self) + "\n")
        #expect(printed.contains("## Differences from snapkv"), "\(printed)")
        #expect(try PNGFile.read(results.file("whole/frontier.png")).width == 1920)
        let files = ["frontier.json", "frontier.md", "frontier.svg", "frontier.png"]
        let whole = try files.map { try results.bytes("whole/\($0)") }
        // Half of the candidates are there already.
        let candidates = try results.listing().filter { $0.hasPrefix("whole/candidates/") }
        #expect(candidates.count == 13)
        for name in candidates.prefix(5) { try FileManager.default.removeItem(atPath: results.file(name)) }
        #expect(try run("whole", ["--batch", "3"]) == printed)
        #expect(try files.map { try results.bytes("whole/\($0)") } == whole)
        let profiles = try results.listing().filter { $0.hasPrefix("whole/profiles/") }
        let profile = try #require(profiles.first)
        try Tool.succeed(["verify", results.file(profile), "--model", model, "--statistics", path("s.h5")])
    }

    @Test func compilingTwiceGivesTheSameBytes() throws {
        for name in ["a.json", "b.json"] {
            try Tool.succeed(["compile", path("s.h5"), "--tokens", "6", "--out", results.file(name)])
        }
        #expect(try results.bytes("a.json") == results.bytes("b.json"))
    }

    @Test func progressGoesToStandardErrorOnly() throws {
        let arguments = ["generate", "--model", model, "--prompt", "a", "--out", results.file("a.png"), "--progress"]
        let json = try Tool.run(arguments + ["json"])
        #expect(json.exitCode == 0 && json.output.hasPrefix("1 picture -> "))
        let lines = try json.errors.split(separator: "\n").map { try JSONValue.parse(String($0), name: "progress") }
        #expect(lines.count >= 1, "\(json.errors)")
        #expect(try Tool.run(arguments + ["none"]).errors == "")
    }

    @Test func helpAndVersion() throws {
        #expect(try Tool.succeed(["--version"]) == VernierVersion.current + "\n")
        let help = try Tool.succeed(["--help"])
        for command in ["generate", "calibrate", "compile", "show", "verify", "overlap", "eval", "frontier", "rank"] {
            #expect(help.contains("  \(command) "), "\(help)")
            let own = try Tool.succeed([command, "--help"])
            #expect(own.hasPrefix("OVERVIEW: ") && own.contains("USAGE: vernier \(command)"), "\(own)")
        }
    }
}
