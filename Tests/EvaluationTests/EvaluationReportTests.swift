import Foundation
import Generation
import TestSupport
import Testing
import VernierCore

@testable import Evaluation

@Suite struct EvaluationReportTests {
    private static let right = SceneScore(
        colour: true, shape: true, size: true, relation: nil, background: true, count: true)
    private static let wrong = SceneScore(
        colour: true, shape: false, size: true, relation: nil, background: true, count: true)

    private func record(_ prompt: Int, _ seed: Int, _ change: (inout PictureRecord) -> Void) -> PictureRecord {
        var record = PictureRecord(prompt: prompt, seed: seed)
        change(&record)
        return record
    }

    private func row(
        _ name: String, records: [PictureRecord], keptShare: Double = 0.1, predicted: Int = 2_048,
        measured: Int? = 2_048
    ) throws -> EvaluationRow {
        try EvaluationRow(
            name: name, policy: name == "full" ? "full" : "rate-distortion", selection: "pooling-plan",
            storage: "int8", keptShare: keptShare, predictedResidentBytes: predicted, measuredResidentBytes: measured,
            records: records, bootstrapSeed: 1)
    }

    /// Two prompts, two seeds: the full cache, a policy with mean squares 1 and 4, one with equal pictures.
    private func report(comparedRow: String? = "plan") throws -> EvaluationReport {
        let pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
        let full = pairs.map { prompt, seed in
            record(prompt, seed) {
                $0.sceneScore = Self.right
                $0.seconds = 2
            }
        }
        let plan = pairs.map { prompt, seed in
            record(prompt, seed) {
                $0.meanSquaredError = prompt == 0 ? 1 : 4
                $0.structuralSimilarity = 0.5
                $0.bitAgreement = prompt == 0 ? 0.75 : 0.5
                $0.sceneScore = prompt == 0 ? Self.right : Self.wrong
                $0.seconds = 1
            }
        }
        let exact = pairs.map { prompt, seed in
            record(prompt, seed) {
                $0.meanSquaredError = 0
                $0.structuralSimilarity = 1
                $0.bitAgreement = 1
            }
        }
        return try EvaluationReport(
            model: "tangram", prompts: ["a | b", "c"], seeds: [7, .max],
            rows: [
                try row("full", records: full, keptShare: 1, predicted: 3_145_728, measured: 3_145_728),
                try row("plan", records: plan), try row("exact", records: exact, measured: 2_050),
            ], comparedRow: comparedRow, bootstrapSeed: 1, settings: ["seed": 3])
    }

    // MARK: Estimates

    @Test func seedsAreAveragedWithinAPrompt() throws {
        let records = [(1, 8.0), (0, 1), (0, 3), (1, 4)].map { prompt, seconds in
            record(prompt, 0) { $0.seconds = seconds }
        }
        let means = EvaluationMetric.secondsPerImage.promptMeans(records + [PictureRecord(prompt: 2, seed: 0)])
        #expect(means.map(\.prompt) == [0, 1] && means.map(\.mean) == [2, 6])
        let estimates = try row("a", records: records).estimates
        #expect(Array(estimates.keys) == ["secondsPerImage"])
        #expect(estimates["secondsPerImage"]?.mean == 4 && estimates["secondsPerImage"]?.count == 2)
    }

    @Test func equalPicturesCountAsTheCap() throws {
        let exact = try report().rows[2]
        #expect(exact.estimates["psnrDecibels"] == Estimate(mean: 99, low: 99, high: 99, count: 2))
        #expect(exact.pooledPSNRDecibels == .infinity)
        let plan = try report().rows[1]
        #expect(abs((plan.pooledPSNRDecibels ?? 0) - 10 * log10(65_025 / 2.5)) < 1e-9)
    }

    @Test func differencesArePairedByPrompt() throws {
        let report = try report()
        let difference = try report.rows[1].pairedDifference(.bitAgreement, from: report.rows[2], bootstrapSeed: 1)
        #expect(difference?.mean == -0.375 && difference?.count == 2)
        #expect(difference?.low == -0.5 && difference?.high == -0.25)
        let none = try report.rows[1].pairedDifference(.forcedDecodingKLNats, from: report.rows[2], bootstrapSeed: 1)
        #expect(none == nil)
    }

    @Test func measurementsThatAreNotFiniteAreNamed() throws {
        let error = #expect(throws: VernierError.self) {
            try row("plan", records: [record(0, 0) { $0.structuralSimilarity = .nan }])
        }
        #expect(error?.description.hasPrefix("plan, structuralSimilarity: ") == true)
    }

    @Test func reportsThatDoNotFitAreRefused() throws {
        let good = try row("a", records: [PictureRecord(prompt: 0, seed: 0)])
        let stray = try row("b", records: [PictureRecord(prompt: 1, seed: 0), PictureRecord(prompt: 0, seed: -1)])
        let error = #expect(throws: VernierError.self) {
            try EvaluationReport(
                model: "m", prompts: ["p"], seeds: [1], rows: [good, stray, good], comparedRow: "c", bootstrapSeed: 0,
                settings: .null)
        }
        #expect(
            error?.description
                == """
                evaluation: expected records of 1 prompts and 1 seeds in row 'b', found 2 of others; the row 'a' appears \
                twice; expected a row 'c' to compare with, found none.
                """)
        #expect(throws: VernierError.self) {
            try EvaluationReport(
                model: "m", prompts: [], seeds: [], rows: [], bootstrapSeed: 0, settings: .null)
        }
    }

    // MARK: Markdown

    @Test func markdownIsAlignedAndComplete() throws {
        let text = try report().markdown()
        let head = """
            # Evaluation of tangram

            2 prompts, 2 seeds each. Fidelity is measured against the full cache with the same noise. In brackets: 95 % \
            intervals over prompts.

            """
        #expect(text.hasPrefix(head))
        let tables = text.split(separator: "\n\n").filter { $0.hasPrefix("|") }
        #expect(tables.count == 3)
        for table in tables {
            let lines = table.split(separator: "\n")
            #expect(Set(lines.map(\.count)).count == 1)
        }
        let rows = tables[0].split(separator: "\n").map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        #expect(
            rows[0] == [
                "name", "policy", "selection", "storage", "kept", "predicted bytes", "measured bytes",
                "PSNR, dB", "SSIM", "equal bits", "scene right", "s/image", "pooled PSNR, dB",
            ])
        #expect(
            rows[2] == [
                "full", "full", "pooling-plan", "int8", "100.00 %", "3145728", "3145728", "-", "-", "-",
                "1.000 (1.000 to 1.000)", "2.000 (2.000 to 2.000)", "-",
            ])
        #expect(
            rows[3] == [
                "plan", "rate-distortion", "pooling-plan", "int8", "10.00 %", "2048", "2048", "45.12 (42.11 to 48.13)",
                "0.500 (0.500 to 0.500)", "0.625 (0.500 to 0.750)", "0.500 (0.000 to 1.000)",
                "1.000 (1.000 to 1.000)", "44.15",
            ])
        #expect(rows[4][5...6] == ["2048", "2050"] && rows[4][12] == "equal" && rows[4][11] == "-")
        #expect(tables[1].contains("| plan | 0.500 (0.150 to 0.850) | 1.000 (0.510 to 1.000) |"))
        #expect(tables[2].contains("| exact | +53.88 (+50.87 to +56.89) |"))
        #expect(try report(comparedRow: nil).markdown().contains("Differences") == false)
    }

    @Test func tablesAlignAndEscape() {
        var table = MarkdownTable(columns: [.init("a"), .init("number", isRightAligned: true)])
        table.add(["x|y\nz", "1"])
        table.add(["long cell"])
        #expect(
            table.text
                == """
                | a         | number |
                | --------- | -----: |
                | x\\|y z    |      1 |
                | long cell |        |

                """)
        #expect(MarkdownTable(columns: [.init("a")]).text == "| a   |\n| --- |\n")
    }

    // MARK: JSON and files

    @Test func jsonKeepsEveryRecord() throws {
        let root = JSONCursor(
            try JSONValue.parse(try report().json().canonicalText(), name: "report.json"), place: "report.json")
        #expect(try root.member("format").string() == "vernier-evaluation")
        #expect(try root.member("seeds").elements().map(\.value) == [7, "18446744073709551615"])
        let rows = try root.member("rows").elements()
        let plan = try rows[1].member("records")
        #expect(try plan.member("prompt").integers() == [0, 0, 1, 1])
        #expect(try plan.member("seed").integers() == [0, 1, 0, 1])
        #expect(try plan.member("meanSquaredError").numbers() == [1, 1, 4, 4])
        #expect(
            try plan.member("scene").member("shape").elements().map { try $0.bool() } == [true, true, false, false])
        #expect(try plan.member("forcedDecodingKLNats").elements().map(\.value) == [.null, .null, .null, .null])
        #expect(try rows[2].member("records").member("psnrDecibels").elements().map(\.value).allSatisfy { $0 == .null })
        #expect(try rows[2].member("residentBytes").member("measured").integer() == 2_050)
        #expect(try rows[2].member("pooledPSNRDecibels").value == .null)
        #expect(try rows[1].member("estimates").member("bitAgreement").member("low").number() == 0.5)
        let differences = try root.member("differences")
        #expect(try differences.member("from").string() == "plan")
        #expect(try differences.member("rows").member("exact").member("bitAgreement").member("mean").number() == 0.375)
    }

    @Test func recordsAreReadBackAsTheyWere() throws {
        for row in try report().rows {
            var records = row.records
            records[1].forcedDecodingKLNats = 0.1
            records[1].forcedDecodingKLNatsByScale = [0, 1.0 / 3]
            records[2].sceneScore = SceneScore(
                colour: false, shape: true, size: false, relation: false, background: true, count: false)
            let text = try PictureColumns.json(records).canonicalText()
            func read(_ text: String) throws -> [PictureRecord] {
                try PictureColumns.records(reading: JSONCursor(JSONValue.parse(text, name: "r"), place: "r"))
            }
            #expect(try read(text) == records)
            for (old, new) in [
                ("\"seconds\": [", "\"seconds\": [1, "), ("\"seed\"", "\"seat\""),
                ("\"prompt\": [0", "\"prompt\": [-1"),
            ] {
                #expect(text.contains(old))
                #expect(throws: VernierError.self) { try read(text.replacing(old, with: new)) }
            }
        }
    }

    @Test func foldersHoldTheSameBytesForTheSameReport() throws {
        let directory = TemporaryDirectory()
        let sheet = try Picture(width: 1, height: 1, pixels: [1, 2, 3])
        let folders = ["a/b", "c"].map { ResultFolder(path: directory.file($0)) }
        for folder in folders { try folder.write(try report(), contactSheet: sheet) }
        for name in ["report.json", "report.md", "contact-sheet.png", "settings.json"] {
            let files = try folders.map { try MappedFile(path: "\($0.path)/\(name)") }
            #expect(files[0].count > 0 && Array(files[0].bytes) == Array(files[1].bytes))
        }
        #expect(try String(contentsOfFile: folders[0].settings, encoding: .utf8) == "{\n  \"seed\": 3\n}\n")
        #expect(try PNGFile.read(folders[0].contactSheet) == sheet)
        // Without a sheet the earlier one goes: it would belong to another report.
        try folders[0].write(try report(), contactSheet: nil)
        #expect(!FileManager.default.fileExists(atPath: folders[0].contactSheet))
        try folders[0].write(try report(), contactSheet: nil)
    }

    @Test func foldersThatCannotBeMadeAreReported() throws {
        let directory = TemporaryDirectory()
        try AtomicFile.write("x", to: directory.file("taken"))
        let error = #expect(throws: VernierError.self) {
            try ResultFolder(path: directory.file("taken/results")).write(try report(), contactSheet: nil)
        }
        #expect(error?.code == .fileAccess)
    }
}
