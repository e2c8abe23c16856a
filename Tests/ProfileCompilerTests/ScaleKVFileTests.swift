import Checkpoints
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// ScaleKV's released budget files: numbers from the golden data, bytes by the digests of the released files.
@Suite struct ScaleKVFileTests {
    /// SHA-256 of `budgets/*.json` in StargazerX0/ScaleKV at eb0615a.
    static let releasedDigests = [
        "2b": "a3fda132d08ae6005ba9d5ceac72b75ad716c15ee4f20ff94180fe29ebc15b95",
        "8b": "6b492f181f8113f2fa1dadc8ecca4c68c5a028796a664ad43199adfc13783951",
    ]
    static let rowsPath =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        + "/Profiles/sources/scalekv-10.json"

    /// The golden numbers of a released file.
    private static func golden(_ model: String) throws -> ScaleKVBudgets {
        let golden = try Golden.open("scalekv-budgets")
        let blocks = try golden.config.member("models").member(model).member("blocks").integer()
        let drafters = try golden.uint8("drafter.\(model)", shape: [5, blocks])
        let numbers = try golden.int32("max_min_limit_high.\(model)", shape: [5, 4]).map(Int.init)
        return ScaleKVBudgets(
            rows: (0..<5).map { row in
                ScaleKVBudgets.Row(
                    drafters: drafters[row * blocks..<(row + 1) * blocks].map { $0 == 1 }, most: numbers[4 * row],
                    least: numbers[4 * row + 1])
            })
    }

    private static func target(_ model: String, selection: SelectionRule? = nil) throws -> ImportTarget {
        let configuration = try ModelRelease(named: "infinity-\(model)").configuration
        return ImportTarget(
            model: try configuration.architectureIdentity(), schedule: configuration.schedule, selection: selection,
            toolVersion: "test")
    }

    /// Imports a text as a file.
    private static func importing(_ text: String, _ model: String = "2b", selection: SelectionRule? = nil) throws
        -> ImportedProfile
    {
        let folder = TemporaryDirectory()
        try AtomicFile.write(text, to: folder.file("budget.json"))
        return try importScaleKVBudgets(
            contentsOf: folder.file("budget.json"), target: target(model, selection: selection))
    }

    @Test(arguments: ["2b", "8b"]) func goldenNumbersAreTheReleasedFileToTheByte(_ model: String) throws {
        let budgets = try Self.golden(model), golden = try Golden.open("scalekv-budgets")
        #expect(Digest.of(Array(budgets.text.utf8)) == Self.releasedDigests[model])
        let numbers = try golden.int32("max_min_limit_high.\(model)", shape: [5, 4]).map(Int.init)
        #expect(budgets.limits == (0..<5).map { numbers[4 * $0 + 2] })
        #expect(budgets.rows.map { $0.drafters.count { $0 } } == (0..<5).map { numbers[4 * $0 + 3] })
        var warnings: [String] = []
        let file = try PeerFile(name: "b.json", text: budgets.text)
        #expect(try ScaleKVBudgets(reading: file.root, warnings: &warnings) == budgets && warnings == [])
    }

    @Test(arguments: ["2b", "8b"]) func importGivesTheReleasedBudgetsAndExportTheFileAgain(_ model: String) throws {
        let text = try Self.golden(model).text
        let imported = try Self.importing(text, model), profile = imported.profile
        #expect(imported.warnings == [])
        let layers = profile.model.layers, heads = profile.model.heads
        let rows = try Golden.open("scalekv-budgets").int32("budget.\(model)", shape: [5, layers]).map(Int.init)
        for scale in 0..<13 {
            for head in 0..<heads {
                let expected =
                    scale < 8
                    ? Array(repeating: profile.schedule.historyTokens(scale), count: layers)
                    : Array(rows[(scale - 8) * layers..<(scale - 7) * layers])
                expectSame(
                    (0..<layers).map { profile.capacities[0, scale, $0, head] }, expected,
                    what: "\(model), scale \(scale), head \(head)")
            }
        }
        #expect(profile.requestedBudget == .tokensPerCell(650) && profile.realisedBudget.meanTokensPerCell == 650)
        #expect(profile.model.weightsDigest == nil && profile.model.name == "infinity-\(model)")
        #expect(profile.selection.name == "scalekv-compat" && profile.provenance.source?.format == "scalekv-json")
        #expect(profile.provenance.source?.fileDigest == Self.releasedDigests[model])
        let exported = try exportScaleKVBudgets(profile, name: "p.json")
        #expect(exported.text == text && exported.warnings == [])
        #expect(
            exported.usage
                == "enable_scale_kv(model, window_size=16, max_capacity=650, kernel_size=5, pooling='maxpool')")
        // Through a file and back.
        let again = try Profile(parsing: profile.canonicalText(), name: "p.json")
        #expect(try exportScaleKVBudgets(again, name: "p.json").text == text)
    }

    @Test(arguments: ["2b", "8b"]) func rowsInShortAreTheReleasedFile(_ model: String) throws {
        let fromRows = try importScaleKVRows(
            contentsOf: Self.rowsPath, release: "infinity-\(model)", target: Self.target(model)
        ).profile
        let origin = try #require(fromRows.provenance.source?.origin)
        #expect(origin.contains("StargazerX0/ScaleKV") && origin.contains("eb0615a") && origin.contains("2505.19602"))
        // The released file under its own name makes the same profile.
        let folder = TemporaryDirectory()
        try AtomicFile.write(Self.golden(model).text, to: folder.file("\(model)_10%_budget.json"))
        var target = try Self.target(model)
        target.origin = origin
        let fromFile = try importScaleKVBudgets(contentsOf: folder.file("\(model)_10%_budget.json"), target: target)
        #expect(try fromFile.profile.canonicalText() == fromRows.canonicalText())
    }

    struct Change: Sendable, CustomTestStringConvertible {
        let old: String
        let new: String
        let message: String
        var testDescription: String { message }

        init(_ old: String, _ new: String, _ message: String) {
            self.old = old
            self.new = new
            self.message = message
        }
    }

    static let changes = [
        Change("\"Scale 9\"", "\"Scale 8\"", "budget.json: expected only the members Scale 9, Scale 10"),
        Change("\"Max\": 920", "\"Max\": 631", "expected at least Min, 632, found 631"),
        Change("\"Max\": 920", "\"Max\": -1", "expected a whole number from 0"),
        Change("\"Max\": 920", "\"Max\": 1e3", "expected a whole number from 0"),
        Change("\"Max\": 920", "\"Max\": 9223372036854775807", "expected a whole number from 0"),
        Change("\"Max\": 920", "\"Most\": 920", "also \"Most\""),
        Change("\"Block 3\": 0", "\"Block 3\": 2", "expected a whole number from 0 to 1, found 2"),
        Change("\"Block 31\": 0", "\"Block 33\": 0", "also \"Block 33\""),
        Change("    \"Block 31\": 0,\n", "", "expected 31 blocks as in Scale 9"),
        Change("\"High\": 2", "\"High\": 3", "expected the number of blocks with 1, 2"),
        Change("{\n  \"Scale 9\"", "[\n  \"Scale 9\"", "budget.json, line"),
    ]

    @Test(arguments: changes) func damagedFilesAreRefused(_ change: Change) throws {
        let text = try Self.golden("2b").text
        let all = text.replacing(change.old, with: change.new)
        #expect(all != text)
        // The first scale only, where that must clash with the others.
        let edited =
            change.message.contains("31 blocks") ? text.replacing(change.old, with: "", maxReplacements: 1) : all
        let error = try #require(throws: VernierError.self) { try Self.importing(edited) }
        #expect(error.code == .malformedFile && error.description.contains(change.message), "\(error)")
    }

    @Test func filesOfAnotherModelOrScheduleAreRefused() throws {
        let error = try #require(throws: VernierError.self) { try Self.importing(Self.golden("2b").text, "8b") }
        #expect(error.description.contains("expected 40 blocks, the layers of infinity-8b, found 32"))
        let folder = TemporaryDirectory()
        try AtomicFile.write(Self.golden("2b").text, to: folder.file("b.json"))
        var target = try Self.target("2b")
        target.schedule = InfinitySchedule(resolution: .quarter).schedule
        let other = try #require(throws: VernierError.self) {
            try importScaleKVBudgets(contentsOf: folder.file("b.json"), target: target)
        }
        #expect(other.description.contains("(1:1 at 1M), found 1x1") && other.description.contains("(1:1 at 0.25M)"))
        let planned = try #require(throws: VernierError.self) {
            try Self.importing(Self.golden("2b").text, selection: .scaleBlocks)
        }
        #expect(planned.code == .invalidArgument)
    }

    @Test func whatCannotBeHeldIsCutAndSaid() throws {
        var rows = try Self.golden("2b").rows
        // Layer 5 drops to 632 at scale 9 and cannot have 1490 at the next: 632 + 576 can be there.
        rows[1].drafters[5] = true
        let imported = try Self.importing(ScaleKVBudgets(rows: rows).text)
        #expect(imported.profile.capacities[0, 9, 5, 7] == 1208 && imported.profile.capacities[0, 9, 0, 7] == 1490)
        #expect(
            imported.warnings == [
                "budget.json: Scale 10, Block 5: 1490 tokens were asked for, but only 1208 can be there; 1208 are kept"
            ])
        let limit = try Self.golden("2b").text.replacing("\"Limit\": 1496", with: "\"Limit\": 1497")
        #expect(
            try Self.importing(limit).warnings
                == ["budget.json: [\"Scale 10\"].Limit: 1496 by the other numbers, 1497 in the file; it has no effect"])
        // The released code reads neither High nor Limit.
        let bare = try Self.golden("2b").text
            .replacing(#/,\n    "Limit": \d+/#, with: "").replacing(#/    "High": \d+,\n/#, with: "")
        #expect(try exportScaleKVBudgets(Self.importing(bare).profile, name: "p").text == Self.golden("2b").text)
    }

    @Test func tablesInShortAreChecked() throws {
        let text = String(decoding: try MappedFile(path: Self.rowsPath).withBytes { Array($0) }, as: UTF8.self)
        let folder = TemporaryDirectory()
        for (old, new, message) in [
            ("\"max\": 920", "\"max\": 921", "expected numbers of the file with SHA-256 a3fda132d08a..., found"),
            ("\"version\": 1", "\"version\": 2", "expected version 1, found 2"),
            ("vernier-scalekv-rows", "rows", "expected \"vernier-scalekv-rows\""),
            ("\"model\": \"infinity-2b\"", "\"model\": \"x\"", "expected one of the models x, infinity-8b"),
            ("\"drafters\": [0]", "\"drafters\": [32]", "expected a whole number from 0 to 31"),
            ("\"scale\": 9", "\"scale\": 8", "expected a whole number from 9 to 9"),
            ("\"blocks\": 32", "\"blocks\": 0", "expected a whole number from 1 to 1024"),
        ] {
            let edited = text.replacing(old, with: new)
            #expect(edited != text)
            try AtomicFile.write(edited, to: folder.file("rows.json"))
            let error = try #require(throws: VernierError.self) {
                try importScaleKVRows(
                    contentsOf: folder.file("rows.json"), release: "infinity-2b", target: Self.target("2b"))
            }
            #expect(error.description.contains(message), "\(error)")
        }
    }
}
