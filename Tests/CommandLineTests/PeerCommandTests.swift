import Foundation
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// `import` and `export`, and `show` and `generate --dry-run` of a model directory.
@Suite struct PeerCommandTests {
    private static let rows =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        + "/Profiles/sources/scalekv-10.json"

    private let results = ResultsFolder()

    /// Runs the tool, which must succeed; returns what it printed and what it noted.
    private func run(_ arguments: [String]) throws -> (output: String, notes: String) {
        let outcome = try Tool.run(arguments)
        try #require(outcome.exitCode == 0 && !outcome.wasKilled, "\(arguments): \(outcome.errors)")
        return (outcome.output, outcome.errors)
    }

    @Test(arguments: ["2b", "8b"]) func scaleKVBudgetsGoInAndComeOutAsTheReleasedFile(_ model: String) throws {
        let profile = results.file("p.json"), budgets = results.file("\(model)_10%_budget.json")
        let imported = try run([
            "import", Self.rows, "--from", "scalekv-rows", "--like", "infinity-\(model)", "--out", profile,
        ])
        #expect(imported.output.hasPrefix("scalekv + scalekv-compat from scalekv-10.json: "))
        #expect(
            imported.notes == "note: p.json names no weights: it fits every model of this architecture and schedule\n")
        let shown = try Tool.succeed(["show", profile])
        #expect(shown.contains("weights unknown: only the architecture is compared"))
        #expect(shown.contains("\(model)_10%_budget.json (scalekv-json, ") && shown.contains("StargazerX0/ScaleKV"))
        try Tool.succeed(["export", profile, "--to", "scalekv-json", "--out", budgets])
        let text = try String(contentsOfFile: budgets, encoding: .utf8)
        #expect(text.hasPrefix("{\n  \"Scale 9\": {\n    \"Block 0\": 1,\n") && text.hasSuffix("  }\n}"))
        // The exported file imports to the same profile, its origin given again.
        let origin = try #require(Profile(contentsOf: profile).provenance.source?.origin)
        _ = try run([
            "import", budgets, "--from", "scalekv-json", "--like", "infinity-\(model)", "--origin", origin, "--out",
            results.file("again.json"),
        ])
        #expect(try results.bytes("again.json") == results.bytes("p.json"))
    }

    @Test func anOrderFileIsImportedForAModelDirectoryAndRuns() throws {
        let model = try TinyModel()
        // 2 layers of 2 heads; the last scale's history is 14 tokens, of which the sink scale has one.
        try AtomicFile.write(
            "[[[0, 0], [1, 0], [0, 1], [1, 1]], [[1, 1], [0, 1], [1, 0], [0, 0]]]", to: results.file("orders.json"))
        let arguments = [
            "import", results.file("orders.json"), "--from", "heatkv-order", "--keep", "50%", "--model", model.path,
        ]
        let (output, notes) = try run(arguments + ["--out", results.file("p.json")])
        #expect(output.hasPrefix("heatkv + scale-blocks from orders.json: ") && notes == "")
        #expect(try Tool.succeed(["verify", results.file("p.json"), "--model", model.path]).contains("fits the model"))
        let profile = try Profile(contentsOf: results.file("p.json"))
        let drawn = try Tool.succeed([
            "generate", "--model", model.path, "--prompt", "square", "--profile", results.file("p.json"), "--out",
            results.file("a.png"),
        ])
        #expect(drawn.contains("predicted \(profile.residentBytes) bytes, measured \(profile.residentBytes)"))
        // For an architecture, the same profile fits and says what was compared.
        var anonymous = try String(contentsOfFile: results.file("p.json"), encoding: .utf8)
        let digest = try #require(profile.model.weightsDigest)
        anonymous = anonymous.replacing("\"\(digest)\"", with: "null")
            .replacing("\"requires\": [", with: "\"requires\": [\"architecture-only-identity\", ")
        try AtomicFile.write(anonymous, to: results.file("any.json"))
        for command in [
            ["generate", "--prompt", "square", "--out", results.file("b.png"), "--profile", results.file("any.json")],
            ["verify", results.file("any.json")],
            [
                "generate", "--dry-run", "--prompt", "a", "--out", results.file("c.png"), "--profile",
                results.file("any.json"),
            ],
            ["show", model.path, "--profile", results.file("any.json")],
        ] {
            let options = command[0] == "show" ? [] : ["--model", model.path]
            let quiet = command[0] == "generate" ? ["--progress", "none"] : []
            #expect(
                try run(command + options + quiet).notes
                    == "note: any.json names no weights: only the architecture and the schedule were compared, not the "
                    + "weights\n", "\(command)")
        }
        #expect(try results.bytes("b.png") == results.bytes("a.png"))
        // With statistics there is nothing to compare an import with.
        let workshop = try Workshop.shared.get()
        let outcome = try Tool.run([
            "verify", results.file("p.json"), "--statistics", try #require(workshop.paths["s.h5"]),
        ])
        #expect(outcome.exitCode == 1 && outcome.errors.contains("one that was imported from orders.json"))
    }

    @Test func aModelDirectoryIsShownWithItsBytesAndOperations() throws {
        let model = try TinyModel(sides: [1, 2, 4, 6, 8, 12, 16], ropeSide: 64)
        let text = try Tool.succeed(["show", model.path])
        // 2 layers x 2 heads x 2 branches; a key and a value of 16 Float32 a token.
        let cells = 8, bytes = 128
        for part in [
            "tiny (infinity), 2 layers x 2 heads of 16", "1:1 at 0.06M, 521 tokens", "16x16",
            "transformer.safetensors: ",
            "521 tokens a cell, all scales", "\(521 * cells * bytes)", "\(265 * cells * bytes)",
            "\(521 * cells * 16 * 6)", "operations ", "with 64 text tokens", "  2521  ",
        ] {
            #expect(text.contains(part), "'\(part)' in: \(text)")
        }
        let json = try Tool.succeed([
            "show", model.path, "--json", "--resolution", "1M", "--aspect", "3:4", "--text-tokens", "9",
        ])
        let root = JSONCursor(try JSONValue.parse(json, name: "show"), place: "show")
        let cache = try root.member("cache").member("withoutLastScale")
        let history = InfinitySchedule(aspect: try InfinityAspect(named: "3:4"), resolution: .full).schedule
            .finalHistoryTokens
        #expect(try cache.member("tokensPerCell").integer() == history)
        #expect(try cache.member("bytes").member("float32").integer() == history * cells * bytes)
        #expect(try root.member("textTokens").integer() == 9)
        #expect(try root.member("picture").integers() == [72, 54])
        #expect(try root.member("files").elements().count == 3)
    }

    /// Infinity-2B at 1:1, 1M: the figures of `models.md` section 5.1, and ScaleKV's 10 % from its capacities.
    @Test func aReleasedModelIsShownByItsSizesAlone() throws {
        let profile = Self.rows.replacing("sources/scalekv-10.json", with: "scalekv-infinity-2b-10.json")
        let (text, notes) = try run(["show", "--like", "infinity-2b", "--profile", profile])
        #expect(notes.contains("scalekv-infinity-2b-10.json names no weights"))
        let shipped = try Profile(contentsOf: profile)
        // 650 tokens in each of 32 x 16 x 2 cells at the last scale; more while the last boundaries are passed.
        #expect(shipped.realisedBudget.lastScaleSlots == 650 * 32 * 16 * 2)
        #expect(shipped.residentBytes == shipped.residentPlan.residentSlots * 2 * 128 * 4)
        for part in [
            "1:1 at 1M, 10521 tokens", "pictures of 1024 x 1024", "11032068096", "8274051072", "5516034048",
            "6425 tokens a cell", "\(32 * 2048 * 6425 * 16)", "\(shipped.residentBytes) bytes", "operations ",
        ] {
            #expect(text.contains(part), "'\(part)' in: \(text)")
        }
        let other = try Tool.run(["show", "--like", "infinity-8b", "--profile", profile])
        #expect(other.exitCode == 1 && other.errors.contains("expected 32 layers, found 40"))
        let smaller = try Tool.run(["show", "--like", "infinity-2b", "--resolution", "0.25M", "--profile", profile])
        #expect(smaller.exitCode == 1 && smaller.errors.contains("(1:1 at 1M), found"))
        #expect(smaller.errors.contains("--resolution 1M --aspect 1:1"))
    }

    @Test func aDryRunPrintsTheBytesThatARunMeasuresAndDrawsNothing() throws {
        let workshop = try Workshop.shared.get()
        let model = try #require(workshop.paths["model"]), profile = try #require(workshop.paths["p.json"])
        let prompts = try #require(workshop.paths["prompts.jsonl"])
        let arguments = ["generate", "--model", model, "--prompts", prompts, "--batch", "2", "--profile", profile]
        let planned = try Tool.succeed(arguments + ["--dry-run", "--out", results.file("none")])
        #expect(try results.listing() == [])
        let predicted = try Profile(contentsOf: profile).residentBytes
        #expect(planned.contains("would draw 3 pictures of 4 x 4 pixels (height x width), 2 at a time"))
        #expect(planned.contains("\(predicted) bytes") && planned.contains("resident   \(2 * predicted) bytes"))
        let drawn = try Tool.succeed(arguments + ["--out", results.file("pictures")])
        #expect(drawn.contains("predicted \(predicted) bytes, measured \(predicted)"))
        // Without a profile: the full cache, 2 branches x 2 layers x 2 heads x 14 tokens of 128 bytes.
        let full = try Tool.succeed([
            "generate", "--model", model, "--prompt", "a", "--out", results.file("a.png"), "--dry-run",
        ])
        #expect(full.contains("resident   \(8 * 14 * 128) bytes of cache for 1 picture at a time"))
    }
}
