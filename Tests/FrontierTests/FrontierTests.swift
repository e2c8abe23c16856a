import Evaluation
import Foundation
import Generation
import ModelFamilies
import ProfileCompiler
import ProfileFormat
import Refinement
import Synchronization
import TestSupport
import Testing
import VernierCore

@testable import Frontier

@Suite struct FrontierTests {
    private let bench: Bench
    private let folder = TemporaryDirectory()

    init() throws { bench = try Bench.shared.get() }

    /// A method that needs something this build lacks.
    private static let future = FrontierMethod(
        "future", "A policy to come.", [.init(policy: "clairvoyant", selection: "attention-mass")])
    private static let unknownRule = FrontierMethod(
        "unknown-rule", "A rule to come.", [.init(policy: "uniform", selection: "telepathy")])

    private func run(_ request: FrontierRequest, _ name: String = "out") throws -> FrontierReport {
        let path = folder.file(name)
        let report = try bench.frontier(request).run(folder: path)
        try FrontierFolder(path: path).write(report)
        return report
    }

    // MARK: - Numbers

    /// A candidate of a frontier is measured exactly as `eval` measures its profile.
    @Test func pointsAreWhatTheEvaluatorMeasures() throws {
        let report = try run(bench.request(["h2o", "attention-mass"], compared: "attention-mass"))
        #expect(report.points.count == 4 && report.gaps.isEmpty)
        #expect(report.points.map(\.method) == ["h2o", "h2o", "attention-mass", "attention-mass"])
        let candidates = report.points.map { EvaluationRequest.Candidate(name: $0.row.name, profile: $0.profile) }
        let evaluator = try Evaluator(
            model: bench.model,
            request: EvaluationRequest(candidates: candidates, prompts: bench.prompts, seeds: [4, 5], batchSize: 3))
        let rows = try evaluator.run().report.rows
        for (point, row) in zip(report.points, rows.dropFirst()) {
            let expected = row.records.map { record in
                var untimed = record
                untimed.seconds = nil
                return untimed
            }
            #expect(point.row.records == expected, "\(point.row.name)")
            #expect(point.row.predictedResidentBytes == row.predictedResidentBytes)
            #expect(point.row.measuredResidentBytes == row.predictedResidentBytes, "bytes measured are those predicted")
        }
        #expect(report.baseline.predictedResidentBytes == rows[0].predictedResidentBytes)
        // Compiled as `compile` does.
        let profile = try compile(
            statistics: bench.statistics,
            request: CompilationRequest(
                policy: PolicyDescription(name: "uniform"), budget: .keptShare(0.2), selection: .attentionMass(),
                toolVersion: "test"))
        #expect(report.points[2].profile == profile)
        #expect(report.points[0].scaleKVBytes * 4 == report.points[0].residentBytes * 3, "6 bytes of 8 a channel pair")
    }

    @Test func theBestVariantStandsForItsMethod() throws {
        let report = try run(bench.request(["scalekv-paper"], budgets: [.keptShare(0.3)]))
        let all = report.points + report.otherVariants
        #expect(report.points.count == 1 && all.count == 12)
        #expect(Set(all.map(\.variant)).count == 12)
        #expect(report.points[0].variantCount == 12)
        let means = all.compactMap { $0.psnrDecibels?.mean }
        let best = try #require(means.max())
        #expect(report.points[0].psnrDecibels?.mean == best)
        let markdown = try report.markdown()
        #expect(markdown.contains("\(report.points[0].variant), best of 12"), "\(markdown)")
    }

    @Test func storageFormatsShareTheBestVariant() throws {
        var request = try bench.request(["full-cache", "streaming-llm"], budgets: [.keptShare(0.5)])
        request.storages = [.float32, .int8, .int4]
        let report = try run(request)
        #expect(
            report.points.map { "\($0.method) \($0.storage)" } == [
                "full-cache int8", "full-cache int4", "streaming-llm float32", "streaming-llm int8",
                "streaming-llm int4",
            ])
        #expect(report.otherVariants.count == 2 && report.otherVariants.allSatisfy { $0.storage == .float32 })
        let streaming = report.points.filter { $0.method == "streaming-llm" }
        #expect(Set(streaming.map(\.variant)).count == 1 && Set(streaming.map(\.scaleKVBytes)).count == 1)
        let bytes = streaming.map(\.residentBytes)
        #expect(bytes[0] > bytes[1] && bytes[1] > bytes[2])
        #expect(report.points.allSatisfy { $0.row.measuredResidentBytes == $0.residentBytes })
        #expect(try report.markdown().contains("## Without eviction\n"))
    }

    @Test func onlyNamedMethodsAreMeasuredInNarrowFormats() throws {
        var request = try bench.request(["full-cache", "sliding-window", "h2o"], budgets: [.keptShare(0.5)])
        request.storages = [.float32, .int8]
        request.narrowMethods = ["h2o", "full-cache"]
        #expect(
            try run(request).points.map { "\($0.method) \($0.storage)" } == [
                "full-cache int8", "sliding-window float32", "h2o float32", "h2o int8",
            ])
    }

    /// Variants are compared on the first prompts, and the best of them there is measured on all.
    @Test func variantsMayBeComparedOnTheFirstPrompts() throws {
        var request = try bench.request(["streaming-llm"], budgets: [.keptShare(0.3)])
        request.variantPrompts = 1
        let report = try run(request, "first")
        let whole = try run(bench.request(["streaming-llm"], budgets: [.keptShare(0.3)]), "whole")
        let point = try #require(report.points.first)
        #expect(point.row.records.count == 6 && report.otherVariants.allSatisfy { $0.row.records.count == 2 })
        let same = try #require((whole.points + whole.otherVariants).first { $0.variant == point.variant })
        #expect(point.row.records == same.row.records)
        let files = try contents(of: folder.file("first"))
        #expect(files.keys.count { $0.hasPrefix("candidates/") } == 1 + 3 + 1, "full cache, variants, the best on all")
        // Taken up again it measures nothing and says the same.
        _ = try run(request, "first")
        #expect(try contents(of: folder.file("first")) == files)
    }

    @Test func refinedPlansNeedPromptsAndServeAllFormats() throws {
        var request = try bench.request(["pooling-plan", "pooling-plan-refined"], budgets: [.keptShare(0.4)])
        request.storages = [.float32, .int8]
        let without = try run(request, "without")
        #expect(without.points.map(\.method) == ["pooling-plan", "pooling-plan"])
        #expect(without.gaps.contains { $0.method == "pooling-plan-refined" && $0.reason.contains("--refine-prompts") })
        var text = TinyModel.corpus(3)
        let corpus = try text.withUTF8 { try Corpus(bytes: UnsafeRawBufferPointer($0), fileName: "c.jsonl") }
        request.refinement = RefinementRequest(corpus: corpus, promptCount: 3)
        let with = try run(request, "with")
        #expect(with.gaps.isEmpty && with.points.count == 4)
        let refined = with.points.filter { $0.method == "pooling-plan-refined" }.map(\.profile)
        #expect(refined.allSatisfy { $0.selection.parameters.integer("refinedPrompts") == 3 })
        #expect(refined[0].plan == refined[1].plan && refined[0].plan != with.points[0].profile.plan)
        #expect(refined.map(\.storage) == [.float32, .int8])
    }

    @Test func divergencesAreMeasuredOnTheFirstPromptsOnly() throws {
        let whole = try run(bench.request(["sliding-window"]), "whole").points[0].row.records
        // Batches of 4 hold the two pictures of the first prompt and two of the second.
        let part = try run(bench.request(["sliding-window"], batch: 4, divergencePrompts: 1), "part").points[0].row
        for (record, complete) in zip(part.records, whole) {
            #expect((record.forcedDecodingKLNats != nil) == (record.prompt < 1))
            if record.prompt < 1 { #expect(record == complete) }
            #expect(record.meanSquaredError == complete.meanSquaredError)
        }
        #expect(part.estimates["forcedDecodingKLNats"]?.count == 1)
        let none = try run(bench.request(["sliding-window"], divergencePrompts: 0), "none").points[0].row
        #expect(none.records.allSatisfy { $0.forcedDecodingKLNats == nil })
    }

    /// Giving up the logits for memory changes no number.
    @Test func logitsThatDoNotFitAreDrawnAgain() throws {
        var request = try bench.request(["sliding-window", "snapkv"])
        let kept = try run(request, "kept")
        request.maximumLogitBytes = 0
        let dropped = try run(request, "dropped")
        #expect(kept.points.map(\.row.records) == dropped.points.map(\.row.records))
    }

    // MARK: - What is not run

    @Test func refusalsAreListedWithTheirReasons() throws {
        var request = try bench.request(["sliding-window"], more: [Self.future, Self.unknownRule])
        request.budgets = [.keptShare(0.5), .keptShare(1e-9)]
        let report = try run(request)
        #expect(report.points.map(\.row.name) == ["sliding-window 50 % float32"])
        #expect(
            report.gaps.map { "\($0.method) \($0.budget.shortLabel)" } == [
                "sliding-window 0 %", "future 50 %", "future 0 %", "unknown-rule 50 %", "unknown-rule 0 %",
            ])
        #expect(report.gaps[0].reason.contains("at least 1 slot per branch"), "\(report.gaps[0])")
        #expect(report.gaps[1].reason.contains("clairvoyant") && report.gaps[3].reason.contains("telepathy"))
        let markdown = try report.markdown()
        let notRun = try #require(markdown.range(of: "## Not run")?.lowerBound)
        let rows = markdown[notRun...].split(separator: "\n").filter { $0.hasPrefix("| future, float32 ") }
        #expect(rows.count == 1 && rows[0].contains("| 50 %, 0 % ") && rows[0].contains("clairvoyant"), "\(markdown)")
        #expect(try bench.frontier(request).plan().gaps == report.gaps, "a dry run says the same")
    }

    @Test func nothingMeasuredIsAReportAllTheSame() throws {
        let report = try run(bench.request([], more: [Self.future]).only("future"))
        #expect(report.points.isEmpty && report.paretoSet.isEmpty && report.gaps.count == 2)
        #expect(try contents(of: folder.file("out")).keys.contains("frontier.png"))
    }

    @Test func requestsThatMakeNoSenseAreRefused() throws {
        func code(_ change: (inout FrontierRequest) throws -> Void) throws -> VernierError.Code? {
            var request = try bench.request(["random"])
            try change(&request)
            return #expect(throws: VernierError.self) { try bench.frontier(request) }?.code
        }
        #expect(try code { $0.methods = [] } == .emptyInput)
        #expect(try code { $0.budgets = [] } == .emptyInput)
        #expect(try code { $0.storages = [] } == .emptyInput)
        #expect(try code { $0.prompts = [] } == .emptyInput)
        #expect(try code { $0.methods += $0.methods } == .invalidArgument)
        #expect(try code { $0.budgets += $0.budgets } == .invalidArgument)
        #expect(try code { $0.comparedMethod = "nobody" } == .invalidArgument)
        let foreign = try TinyModel(seed: 2)
        let error = #expect(throws: VernierError.self) {
            try Frontier(
                model: ImageModel(path: foreign.path), statistics: bench.statistics,
                request: bench.request(["random"]))
        }
        #expect(error?.code == .mismatch && error?.place == "statistics", "\(String(describing: error))")
        #expect(throws: VernierError.self) { try FrontierMethods.named(["random", "nobody"], layers: 2, scales: 4) }
    }

    // MARK: - Resuming

    @Test func aSecondRunMeasuresNothingAndLeavesTheSameBytes() throws {
        let request = try bench.request(["random", "streaming-llm"], compared: "random")
        _ = try run(request)
        let before = try contents(of: folder.file("out"))
        let calls = Mutex(0)
        let report = try bench.frontier(request).run(folder: folder.file("out")) { _ in calls.withLock { $0 += 1 } }
        try FrontierFolder(path: folder.file("out")).write(report)
        #expect(calls.withLock { $0 } == 0, "nothing was drawn")
        #expect(try contents(of: folder.file("out")) == before)
        #expect(before.keys.contains("frontier.svg") && before.keys.contains("frontier.md"))
        // A larger batch is the same measurement.
        var other = request
        other.batchSize = 5
        _ = try bench.frontier(other).run(folder: folder.file("out")) { _ in calls.withLock { $0 += 1 } }
        #expect(calls.withLock { $0 } == 0)
    }

    /// Some candidates were finished before, others were not: the run goes on and ends at the same bytes.
    @Test func anInterruptedRunGoesOnToTheSameBytes() throws {
        let request = try bench.request(["random", "streaming-llm", "snapkv"], compared: "random", batch: 3)
        _ = try run(request, "whole")
        let whole = try contents(of: folder.file("whole"))
        let candidates = whole.keys.filter { $0.hasPrefix("candidates/") }.sorted()
        #expect(candidates.count == 1 + 2 * 9, "the full cache and 9 variants at 2 budgets")
        for kept in [0, 1, 6, 16] {
            let name = "kept\(kept)"
            for file in candidates.prefix(kept) {
                try FileManager.default.createDirectory(
                    atPath: folder.file("\(name)/candidates"), withIntermediateDirectories: true)
                try AtomicFile.write(try #require(whole[file]), to: folder.file("\(name)/\(file)"))
            }
            _ = try run(request, name)
            #expect(try contents(of: folder.file(name)) == whole, "\(kept) candidates kept")
        }
    }

    @Test func whatDecidesTheNumbersDecidesTheKey() throws {
        var request = try bench.request(["sliding-window"], budgets: [.keptShare(0.5)], divergencePrompts: 1)
        func files(_ request: FrontierRequest) throws -> Set<String> {
            _ = try run(request)
            return Set(try contents(of: folder.file("out")).keys.filter { $0.hasPrefix("candidates/") })
        }
        var seen = try files(request)
        #expect(seen.count == 2)
        for change: (inout FrontierRequest) -> Void in [
            { $0.seeds = [4, 6] }, { $0.divergencePrompts = 2 }, { $0.prompts = Array($0.prompts.prefix(2)) },
            { $0.settings = SamplingSettings(guidance: 1, temperature: 1, topK: 0, topP: 0) },
            { $0.toolVersion = "other" },
        ] {
            change(&request)
            let now = try files(request)
            #expect(now.count == seen.count + 2, "measured anew")
            seen = now
        }
    }

    @Test func storedFilesThatAreSomethingElseAreNamed() throws {
        let request = try bench.request(["sliding-window"], budgets: [.keptShare(0.5)])
        _ = try run(request)
        let whole = try contents(of: folder.file("out"))
        let names = whole.keys.filter { $0.hasPrefix("candidates/") }.sorted()
        for (name, text) in [
            (names[0], "{}"), (names[0], "no JSON"),
            (names[0], String(decoding: try #require(whole[names[1]]), as: UTF8.self)),
        ] {
            try AtomicFile.write(text, to: folder.file("out/\(name)"))
            let error = #expect(throws: VernierError.self) {
                try bench.frontier(request).run(folder: folder.file("out"))
            }
            #expect(error?.code == .malformedFile && error?.remedy.contains("candidates") == true, "\(text)")
            #expect(error?.place.hasPrefix(String(name.dropFirst("candidates/".count))) == true)
        }
    }

    @Test func progressCountsTheWorkThatIsLeft() throws {
        let request = try bench.request(["random", "sliding-window"], batch: 4, divergencePrompts: 1)
        let reports = Mutex<[ProgressReport]>([])
        _ = try bench.frontier(request).run(folder: folder.file("out")) { report in
            reports.withLock { $0.append(report) }
        }
        // 6 pictures; the first batch of 4 runs twice.
        let seen = reports.withLock { $0 }
        #expect(seen.last?.done == 6 + 4 * 10 && seen.last?.total == 46)
        #expect(seen.allSatisfy { $0.total == 46 })
        #expect(seen.map(\.done) == seen.map(\.done).sorted())
        #expect(seen.first?.stage == "full cache" && seen.last?.stage == "sliding-window 50 % float32")
    }

    // MARK: - Reports

    @Test func theParetoSetIsWhatNothingBeats() {
        let points = [(100, 20.0), (50, 10), (100, 25), (200, 25), (300, 30), (50, 10), (400, 29)]
        let set = FrontierReport.paretoSet(points.map { (bytes: $0.0, value: $0.1) })
        #expect(set == [1, 2, 4])
        // By definition; of equal points the first.
        for place in points.indices {
            let isBeaten = points.indices.contains { other in
                let (a, b) = (points[other], points[place])
                return a.0 <= b.0 && a.1 >= b.1 && (a.0 < b.0 || a.1 > b.1 || other < place)
            }
            #expect(set.contains(place) == !isBeaten, "point \(place)")
        }
        #expect(FrontierReport.paretoSet([]).isEmpty)
    }

    @Test func jsonHoldsPointsDifferencesAndGaps() throws {
        let report = try run(bench.request(["random", "sliding-window"], more: [Self.future], compared: "random"))
        let text = String(decoding: try #require(try contents(of: folder.file("out"))["frontier.json"]), as: UTF8.self)
        let root = JSONCursor(try JSONValue.parse(text, name: "frontier.json"), place: "frontier.json")
        #expect(try root.member("format").string() == "vernier-frontier")
        let points = try root.member("points").elements()
        #expect(points.count == 4)
        for (cursor, point) in zip(points, report.points) {
            #expect(try cursor.member("method").string() == point.method)
            #expect(try cursor.member("scaleKVBytes").integer() == point.scaleKVBytes)
            #expect(
                try cursor.member("estimates").member("psnrDecibels").member("low").number()
                    == point.psnrDecibels?.low)
            let records = try cursor.member("records").string()
            #expect(try contents(of: folder.file("out")).keys.contains(records))
            #expect(try cursor.member("profileDigest").string() == point.profile.digest())
        }
        let rows = try root.member("differences").member("rows").elements()
        #expect(rows.count == 2)
        let expected = try report.points[2].row.pairedDifference(
            .bitAgreement, from: report.points[0].row, bootstrapSeed: 0)
        #expect(try rows[0].member("bitAgreement").member("mean").number() == expected?.mean)
        #expect(try root.member("notRun").elements().count == 2)
        #expect(try root.member("paretoSet").strings() == report.paretoSet.map { report.points[$0].row.name })
        // The pareto set can be shipped.
        for place in report.paretoSet {
            let name = FrontierFolder.profileName(report.points[place])
            let path = folder.file("out/profiles/\(name).json")
            #expect(try Profile(contentsOf: path) == report.points[place].profile, "\(name)")
        }
    }

    @Test func tablesAreComplete() throws {
        let markdown = try run(bench.request(["random", "sliding-window"], compared: "random")).markdown()
        for heading in [
            "# Fidelity per byte of tiny", "## Pareto set", "## At a budget of 20.0 % of the full cache",
            "## At a budget of 50.0 % of the full cache", "## At equal bytes", "## Differences from random",
        ] { #expect(markdown.contains("\(heading)\n"), "\(heading)") }
        #expect(!markdown.contains("## Not run") && !markdown.contains("## All variants"))
        for table in markdown.split(separator: "\n\n").filter({ $0.hasPrefix("|") }) {
            #expect(Set(table.split(separator: "\n").map(\.count)).count == 1, "\(table)")
        }
        #expect(markdown.contains("| random, keys fp32, values bf16 |"))
    }
}

extension FrontierRequest {
    /// The request with one of its methods only.
    fileprivate func only(_ name: String) -> FrontierRequest {
        var request = self
        request.methods = methods.filter { $0.name == name }
        return request
    }
}
