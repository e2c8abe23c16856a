import Evaluation
import Generation
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// Evaluations on the tiny model, whose last two scales are compressed (histories 0, 1, 5, 14).
@Suite struct EvaluatorTests {
    private static let loaded = Result {
        let tiny = try TinyModel()
        return try withExtendedLifetime(tiny) { try ImageModel(path: tiny.path) }
    }
    private let model: ImageModel
    private let prompts: [CorpusPrompt]

    init() throws {
        model = try Self.loaded.get()
        var text = TinyModel.corpus(3)
        prompts = try text.withUTF8 { try Corpus(bytes: UnsafeRawBufferPointer($0), fileName: "c.jsonl").prompts }
    }

    /// A profile that holds at most `most` tokens a cell.
    private func profile(atMost most: Int, of model: ImageModel, rule: SelectionRule = .attentionMass()) throws
        -> Profile
    {
        let schedule = model.schedule
        let identity = model.identity
        var capacities = CellCapacities.full(schedule: schedule, layers: identity.layers, heads: identity.heads)
        for scale in 0..<schedule.scaleCount {
            for layer in 0..<identity.layers {
                for head in 0..<identity.heads {
                    capacities[0, scale, layer, head] = min(capacities[0, scale, layer, head], most)
                }
            }
        }
        let digest = String(repeating: "0", count: 64)
        return try Profile(
            model: identity, schedule: schedule, policy: PolicyDescription(name: "by hand"), selection: rule,
            storage: .float32, requestedBudget: .tokensPerCell(Double(most)), capacities: capacities,
            provenance: Provenance(
                toolVersion: "test", statisticsDigest: digest, corpusDigest: digest, promptCount: 0, seed: 0))
    }

    private func report(
        _ candidates: [(String, Int)], seeds: [UInt64] = [0], batch: Int = 2, prompts: [CorpusPrompt]? = nil
    ) throws -> EvaluationReport {
        let request = EvaluationRequest(
            candidates: try candidates.map { .init(name: $0.0, profile: try profile(atMost: $0.1, of: model)) },
            prompts: prompts ?? self.prompts, seeds: seeds, batchSize: batch)
        return try Evaluator(model: model, request: request).run().report
    }

    @Test func aFullBudgetIsTheFullCache() throws {
        let report = try report([("all", 14)])
        #expect(report.rows.map(\.name) == ["full cache", "all"])
        let row = report.rows[1]
        #expect(row.keptShare == 1 && row.records.count == 3)
        #expect(row.pooledPSNRDecibels == .infinity)
        for record in row.records {
            #expect(record.meanSquaredError == 0 && record.bitAgreement == 1)
            #expect(record.structuralSimilarity.map { abs($0 - 1) < 1e-12 } == true)
            #expect(record.forcedDecodingKLNats == 0)
            #expect(record.forcedDecodingKLNatsByScale == [0, 0, 0, 0])
        }
        #expect(row.predictedResidentBytes == report.rows[0].predictedResidentBytes)
        for record in report.rows[0].records {
            #expect(
                record.meanSquaredError == nil && record.forcedDecodingKLNats == nil, "the reference has no fidelity")
        }
    }

    @Test func aCompressedCacheDivergesFromTheFirstCompressedScaleOn() throws {
        let report = try report([("five", 5), ("two", 2)])
        for record in report.rows[1].records {
            let divergence = record.forcedDecodingKLNatsByScale
            #expect(divergence[..<3] == [0, 0, 0] && divergence[3] > 0, "histories 0, 1, 5 fit: \(divergence)")
        }
        for record in report.rows[2].records {
            let divergence = record.forcedDecodingKLNatsByScale
            #expect(divergence[..<2] == [0, 0] && divergence[2] > 0 && divergence[3] > 0, "\(divergence)")
            // The mean over bits: scales weigh by their tokens.
            let tokens = [1.0, 4, 9, 16]
            let mean = zip(divergence, tokens).reduce(0) { $0 + $1.0 * $1.1 } / 30
            #expect(abs((record.forcedDecodingKLNats ?? -1) - mean) < 1e-12 + 1e-9 * mean)
        }
        let means = report.rows.dropFirst().map { $0.estimates["forcedDecodingKLNats"]?.mean ?? 0 }
        #expect(means[0] < means[1], "fewer tokens, more divergence: \(means)")
    }

    /// The divergence is that of a run which is fed the full cache's bits, not its own.
    @Test func divergenceIsMeasuredOnTheFullCachesBits() throws {
        let asked = try model.request(for: prompts[0], seed: 0), settings = model.defaultSettings
        let full = try ImageGenerator(model: model)
        let small = try ImageGenerator(model: model, profile: profile(atMost: 1, of: model))
        func run(_ generator: ImageGenerator, _ seed: UInt64, forced: [[[Int32]]]? = nil) throws
            -> (logits: [[Float]], choices: [[[Int32]]])
        {
            var logits: [[Float]] = []
            var hooks = GenerationHooks()
            hooks.forcedChoices = forced
            hooks.logits = { logits.append(Array($1)) }
            var request = asked
            request.seed = seed
            let choices = try generator.generateChoices([request], settings: settings, hooks: hooks)
            return (logits, choices)
        }
        func divergence(_ teacher: [[Float]], _ compressed: [[Float]]) throws -> [Double] {
            try zip(teacher, compressed).map { teacher, compressed in
                var sum = ForcedDecodingDivergence()
                try teacher.withUnsafeBufferPointer { teacher in
                    try compressed.withUnsafeBufferPointer { try sum.add(teacher: teacher, compressed: $0) }
                }
                return try #require(sum.meanNats)
            }
        }
        let seeds = (0..<12).map(UInt64.init)
        let records = try report([("one", 1)], seeds: seeds, batch: 5, prompts: [prompts[0]]).rows[1].records
        var strayed = 0
        for (seed, record) in zip(seeds, records) {
            let teacher = try run(full, seed)
            let forced = try divergence(teacher.logits, run(small, seed, forced: teacher.choices).logits)
            #expect(record.forcedDecodingKLNatsByScale == forced, "seed \(seed)")
            if try divergence(teacher.logits, run(small, seed).logits) != forced { strayed += 1 }
        }
        #expect(strayed > 0, "some run left to its own bits takes another way, or the case tells nothing")
    }

    @Test func predictedBytesAreMeasuredBytes() throws {
        try withEvery("batch", in: [1, 3]) { batch in
            let report = try report([("all", 14), ("five", 5), ("one", 1)], batch: batch)
            for row in report.rows { #expect(row.measuredResidentBytes == row.predictedResidentBytes, "\(row.name)") }
            // 2 branches, 2 layers, 2 heads; a key and a value of 16 Float32 each.
            #expect(report.rows[0].predictedResidentBytes == 2 * 2 * 2 * 14 * 2 * 16 * 4)
            #expect(report.rows[2].predictedResidentBytes < report.rows[1].predictedResidentBytes)
            #expect(report.rows[3].predictedResidentBytes < report.rows[2].predictedResidentBytes)
        }
    }

    @Test func recordsStandByPromptThenSeedWhateverTheBatch() throws {
        let seeds: [UInt64] = [7, 3]
        let reports = try [1, 4].map { try report([("two", 2)], seeds: seeds, batch: $0) }
        #expect(reports[0].seeds == seeds && reports[0].prompts == prompts.map(\.caption))
        for row in reports[0].rows {
            #expect(row.records.map(\.prompt) == [0, 0, 1, 1, 2, 2])
            #expect(row.records.map(\.seed) == [0, 1, 0, 1, 0, 1])
        }
        func untimed(_ report: EvaluationReport) -> [PictureRecord] {
            report.rows.flatMap(\.records).map {
                var record = $0
                record.seconds = nil
                return record
            }
        }
        #expect(untimed(reports[0]) == untimed(reports[1]))
        // A record belongs to its own seed: alone, the second seed gives the second record.
        let alone = try report([("two", 2)], seeds: [3], batch: 1)
        for prompt in 0..<3 {
            let (record, single) = (reports[0].rows[1].records[2 * prompt + 1], alone.rows[1].records[prompt])
            #expect(record.forcedDecodingKLNatsByScale == single.forcedDecodingKLNatsByScale)
            #expect(record.bitAgreement == single.bitAgreement && record.meanSquaredError == single.meanSquaredError)
        }
        let divergences = reports[0].rows[1].records.map(\.forcedDecodingKLNats)
        #expect(Set(divergences).count == 6, "prompts and seeds differ: \(divergences)")
    }

    @Test func theContactSheetHasARowForEveryCache() throws {
        func height(_ candidates: [EvaluationRequest.Candidate]) throws -> Int {
            let request = EvaluationRequest(candidates: candidates, prompts: prompts, seeds: [0, 1], sheetColumns: 2)
            return try #require(try Evaluator(model: model, request: request).run().contactSheet).height
        }
        let one = EvaluationRequest.Candidate(name: "one", profile: try profile(atMost: 1, of: model))
        let two = EvaluationRequest.Candidate(name: "two", profile: try profile(atMost: 2, of: model))
        let heights = try [height([]), height([one]), height([one, two])]
        #expect(heights[1] > heights[0] && heights[2] - heights[1] == heights[1] - heights[0])
        let none = EvaluationRequest(candidates: [], prompts: prompts, sheetColumns: 0)
        #expect(try Evaluator(model: model, request: none).run().contactSheet == nil)
    }

    @Test func differencesStandUnderEachProfileIfAsked() throws {
        func sheet(_ factor: Int?) throws -> Picture {
            let request = EvaluationRequest(
                candidates: [.init(name: "all", profile: try profile(atMost: 14, of: model))], prompts: prompts,
                sheetColumns: 2, differenceAmplification: factor)
            return try #require(try Evaluator(model: model, request: request).run().contactSheet)
        }
        let (plain, amplified) = (try sheet(nil), try sheet(4))
        #expect(amplified.height > plain.height)
        // The last row shows the full cache's difference from itself: plain grey.
        let place = 3 * ((amplified.height - 9) * amplified.width + amplified.width - 9)
        #expect(Array(amplified.pixels[place..<place + 3]) == [128, 128, 128])
        let request = EvaluationRequest(candidates: [], prompts: prompts, differenceAmplification: 0)
        #expect(throws: VernierError.self) { try Evaluator(model: model, request: request) }
    }

    @Test func progressCountsEveryPictureOfEveryCache() throws {
        final class Log: @unchecked Sendable { var reports: [ProgressReport] = [] }
        let log = Log()
        let request = EvaluationRequest(
            candidates: [.init(name: "one", profile: try profile(atMost: 1, of: model))], prompts: prompts, batchSize: 2
        )
        _ = try Evaluator(model: model, request: request).run { log.reports.append($0) }
        #expect(log.reports.map(\.done) == [2, 4, 5, 6])
        #expect(log.reports.allSatisfy { $0.total == 6 })
        #expect(log.reports.map(\.stage) == ["full cache", "one", "full cache", "one"])
    }

    @Test func whatDoesNotFitIsRefusedBeforeAnythingRuns() throws {
        let other = try TinyModel(seed: 2)
        let foreign = try profile(atMost: 2, of: ImageModel(path: other.path))
        let stranger = EvaluationRequest(
            candidates: [.init(name: "foreign.json", profile: foreign)], prompts: prompts)
        let error = try #require(throws: VernierError.self) { try Evaluator(model: model, request: stranger) }
        #expect(error.code == .mismatch && error.place == "foreign.json", "\(error)")
        #expect(error.description.contains("weights digest"))
        for request in [
            EvaluationRequest(candidates: [], prompts: []),
            EvaluationRequest(candidates: [], prompts: prompts, seeds: []),
            EvaluationRequest(candidates: [], prompts: prompts, batchSize: 0),
        ] {
            let error = try #require(throws: VernierError.self) { try Evaluator(model: model, request: request) }
            #expect(error.code == .emptyInput)
        }
        let fitting = EvaluationRequest.Candidate(name: "twin", profile: try profile(atMost: 2, of: model))
        for (candidates, compared) in [([fitting, fitting], nil), ([fitting], "nobody")] {
            let request = EvaluationRequest(candidates: candidates, prompts: prompts, comparedRow: compared)
            let error = try #require(throws: VernierError.self) { try Evaluator(model: model, request: request) }
            #expect(error.code == .invalidArgument, "\(error)")
        }
    }
}
