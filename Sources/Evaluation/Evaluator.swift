import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import VernierCore

/// Draws every prompt with the full cache and with each profile, on the same seeds, and measures the difference.
///
/// A profile runs twice: freely (picture, choices, scene, time), and fed the full cache's choices (forced-decoding divergence of
/// the guided logits, scale by scale). Noise is shared because it depends on seed and position alone.
public struct Evaluator {
    /// The report and the pictures side by side.
    public struct Result: Sendable {
        /// All figures.
        public let report: EvaluationReport
        /// Full cache above, profiles below; nil without pictures to show.
        public let contactSheet: Picture?
    }

    /// The name of the baseline's row.
    public static let baselineName = "full cache"

    private let model: ImageModel
    private let request: EvaluationRequest
    private let bench: EvaluationBench

    /// Checks a request.
    ///
    /// Throws ``VernierError/Code/emptyInput`` without prompts or seeds, ``VernierError/Code/invalidArgument`` if names
    /// repeat, the compared row is none of them or the amplification is below 1, ``VernierError/Code/mismatch`` for a
    /// profile of another model, and ``VernierError/Code/malformedFile`` for a scene that cannot be read.
    public init(model: ImageModel, request: EvaluationRequest) throws {
        bench = try EvaluationBench(
            model: model, prompts: request.prompts, seeds: request.seeds,
            settings: request.settings ?? model.defaultSettings, vocabulary: request.vocabulary,
            batchSize: request.batchSize)
        // The report checks names too, but only after the work.
        var names: Set<String> = [Self.baselineName], problems: [String] = []
        for candidate in request.candidates where !names.insert(candidate.name).inserted {
            problems.append("the row '\(candidate.name)' appears twice")
        }
        if let compared = request.comparedRow, !names.contains(compared) {
            problems.append("expected a row '\(compared)' to compare with, found none")
        }
        if let factor = request.differenceAmplification, !(1...255).contains(factor) {
            problems.append("expected differences amplified by 1 to 255, found \(factor)")
        }
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: "evaluation", problems: problems) }
        for candidate in request.candidates {
            try candidate.profile.requireFit(model: model.identity, schedule: model.schedule, name: candidate.name)
        }
        self.model = model
        self.request = request
    }

    /// Runs the evaluation. `progress` counts pictures, the baseline's included.
    public func run(progress: ProgressHandler? = nil) throws -> Result {
        let generators = try request.candidates.map {
            try ImageGenerator(model: model, profile: $0.profile, profileName: $0.name)
        }
        var records = Array(repeating: [PictureRecord](), count: generators.count + 1)
        var sheet = Array(repeating: [Picture?](), count: generators.count + 1)
        let clock = ContinuousClock(), start = clock.now
        let total = bench.jobs.count * (generators.count + 1)
        var done = 0
        func add(_ row: Int, _ name: String, _ measured: [(record: PictureRecord, picture: Picture)]) {
            for (record, picture) in measured {
                records[row].append(record)
                if record.seed == 0, sheet[row].count < request.sheetColumns { sheet[row].append(picture) }
            }
            done += measured.count
            let seconds = (clock.now - start) / .seconds(1)
            progress?(ProgressReport(done: done, total: total, stage: name, elapsedSeconds: seconds))
        }
        for batch in bench.batches {
            let reference = try bench.reference(batch)
            add(0, Self.baselineName, zip(reference.records, reference.images).map { ($0, $1.picture) })
            for (index, generator) in generators.enumerated() {
                let measured = try bench.measure(generator, against: reference)
                add(index + 1, request.candidates[index].name, measured)
            }
        }
        return Result(
            report: try report(records: records, generators: generators), contactSheet: try contactSheet(sheet))
    }

    private func report(records: [[PictureRecord]], generators: [ImageGenerator]) throws -> EvaluationReport {
        // Bytes of one picture: a ledger scales with its batch.
        func perImage(_ generator: ImageGenerator, _ bytes: (CacheLedger) -> Int) -> Int? {
            generator.report.map { bytes($0.ledger) / $0.images }
        }
        var rows = [
            try EvaluationRow(
                name: Self.baselineName, policy: "full", selection: "all", storage: StorageFormat.float32.name,
                keptShare: 1, predictedResidentBytes: perImage(bench.baseline) { $0.predictedResidentBytes } ?? 0,
                measuredResidentBytes: perImage(bench.baseline) { $0.peakResidentBytes }, records: records[0],
                bootstrapSeed: request.bootstrapSeed)
        ]
        for (index, candidate) in request.candidates.enumerated() {
            let profile = candidate.profile
            rows.append(
                try EvaluationRow(
                    name: candidate.name, policy: profile.policy.name, selection: profile.selection.name,
                    storage: profile.storage.name, keptShare: profile.realisedBudget.keptShare,
                    predictedResidentBytes: profile.residentPlan.residentBytes(),
                    measuredResidentBytes: perImage(generators[index]) { $0.peakResidentBytes },
                    records: records[index + 1], bootstrapSeed: request.bootstrapSeed))
        }
        return try EvaluationReport(
            model: model.identity.name, choice: model.network.choices.name,
            prompts: request.prompts.map(\.caption), seeds: request.seeds, rows: rows,
            comparedRow: request.comparedRow, bootstrapSeed: request.bootstrapSeed, settings: settingsJSON)
    }

    private var settingsJSON: JSONValue {
        var object = JSONObject()
        for (key, value) in bench.settingsJSON { object[key] = value }
        object["batchSize"] = .integer(Int64(request.batchSize))
        object["profiles"] = .array(request.candidates.map { .string($0.name) })
        return .object(object)
    }

    private func contactSheet(_ pictures: [[Picture?]]) throws -> Picture? {
        guard request.sheetColumns > 0, let columns = pictures.first?.count, columns > 0 else { return nil }
        var sheet = ContactSheet(captions: request.prompts.prefix(columns).map(\.caption))
        sheet.add(ContactSheet.Row(label: Self.baselineName, pictures: pictures[0]))
        for (candidate, row) in zip(request.candidates, pictures.dropFirst()) {
            sheet.add(ContactSheet.Row(label: candidate.name, pictures: row))
            guard let factor = request.differenceAmplification else { continue }
            try sheet.addDifferences(
                label: "difference x \(factor)", pictures: row, references: pictures[0], amplification: factor)
        }
        return try sheet.render()
    }
}
