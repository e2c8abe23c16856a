import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import VernierCore

/// Draws every prompt with the full cache and with each profile, on the same seeds, and measures the difference.
///
/// A profile runs twice: freely (picture, bits, scene, time), and fed the full cache's bits (forced-decoding divergence of
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

    private let model: TextToImageModel
    private let request: EvaluationRequest
    private let settings: SamplingSettings
    private let scorer: SceneScorer?
    private let scenes: [Scene?]

    /// Checks a request.
    ///
    /// Throws ``VernierError/Code/emptyInput`` without prompts or seeds, ``VernierError/Code/invalidArgument`` if names
    /// repeat or the compared row is none of them, ``VernierError/Code/mismatch`` for a profile of another model, and
    /// ``VernierError/Code/malformedFile`` for a scene that cannot be read.
    public init(model: TextToImageModel, request: EvaluationRequest) throws {
        guard !request.prompts.isEmpty, !request.seeds.isEmpty, request.batchSize > 0 else {
            throw VernierError(
                .emptyInput, at: "evaluation", expected: "at least one prompt, one seed and a batch size of 1",
                found: "\(request.prompts.count) prompts, \(request.seeds.count) seeds, batch \(request.batchSize)")
        }
        // The report checks this too, but only after the work.
        var names: Set<String> = [Self.baselineName], problems: [String] = []
        for candidate in request.candidates where !names.insert(candidate.name).inserted {
            problems.append("the row '\(candidate.name)' appears twice")
        }
        if let compared = request.comparedRow, !names.contains(compared) {
            problems.append("expected a row '\(compared)' to compare with, found none")
        }
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: "evaluation", problems: problems) }
        for candidate in request.candidates {
            try candidate.profile.requireFit(model: model.identity, schedule: model.schedule, name: candidate.name)
        }
        self.model = model
        self.request = request
        settings = request.settings ?? model.defaultSettings
        scorer = request.vocabulary.map(SceneScorer.init)
        scenes = try request.prompts.map { prompt in
            try request.vocabulary == nil
                ? nil : prompt.scene.map { try Scene($0, place: "prompt \(prompt.index)") }
        }
    }

    /// Runs the evaluation. `progress` counts pictures, the baseline's included.
    public func run(progress: ProgressHandler? = nil) throws -> Result {
        let baseline = try ImageGenerator(model: model)
        let generators = try request.candidates.map {
            try ImageGenerator(model: model, profile: $0.profile, profileName: $0.name)
        }
        let jobs = request.prompts.indices.flatMap { prompt in
            request.seeds.indices.map { (prompt: prompt, seed: $0) }
        }
        let texts = try request.prompts.map { try model.encode($0.prompt) }
        var records = Array(repeating: [PictureRecord](), count: generators.count + 1)
        var sheet = Array(repeating: [Picture?](), count: generators.count + 1)
        let clock = ContinuousClock(), start = clock.now
        let total = jobs.count * (generators.count + 1)
        var done = 0
        func advance(_ count: Int, _ stage: String) {
            done += count
            let seconds = (clock.now - start) / .seconds(1)
            progress?(ProgressReport(done: done, total: total, stage: stage, elapsedSeconds: seconds))
        }

        for first in stride(from: 0, to: jobs.count, by: request.batchSize) {
            let batch = jobs[first..<min(first + request.batchSize, jobs.count)]
            let requests = batch.map { ImageRequest(text: texts[$0.prompt], seed: request.seeds[$0.seed]) }
            var teacherLogits: [[Float]] = []
            var hooks = GenerationHooks()
            hooks.logits = { _, logits in teacherLogits.append(Array(logits)) }
            let full = try baseline.generateBatch(requests, settings: settings, hooks: hooks)
            for (job, image) in zip(batch, full) {
                var record = PictureRecord(prompt: job.prompt, seed: job.seed)
                record.seconds = seconds(baseline)
                record.sceneScore = score(image.picture, prompt: job.prompt)
                records[0].append(record)
                if job.seed == 0, sheet[0].count < request.sheetColumns { sheet[0].append(image.picture) }
            }
            advance(batch.count, Self.baselineName)

            for (index, generator) in generators.enumerated() {
                let images = try generator.generateBatch(requests, settings: settings)
                let time = seconds(generator)
                let divergence = try forcedDecoding(generator, requests: requests, full: full, teacher: teacherLogits)
                for (place, job) in batch.enumerated() {
                    var record = PictureRecord(prompt: job.prompt, seed: job.seed)
                    record.seconds = time
                    record.meanSquaredError = try PeakSignalNoise.meanSquaredError(
                        images[place].picture, full[place].picture)
                    record.structuralSimilarity = try StructuralSimilarity.mean(
                        images[place].picture, full[place].picture)
                    record.bitAgreement = try BitAgreement.share(
                        images[place].bits.flatMap { $0 }, full[place].bits.flatMap { $0 })
                    record.forcedDecodingKLNatsByScale = divergence[place].map { $0.meanNats ?? 0 }
                    var all = ForcedDecodingDivergence()
                    for scale in divergence[place] { all.add(scale) }
                    record.forcedDecodingKLNats = all.meanNats
                    record.sceneScore = score(images[place].picture, prompt: job.prompt)
                    records[index + 1].append(record)
                    if job.seed == 0, sheet[index + 1].count < request.sheetColumns {
                        sheet[index + 1].append(images[place].picture)
                    }
                }
                advance(batch.count, request.candidates[index].name)
            }
        }
        return Result(
            report: try report(records: records, baseline: baseline, generators: generators),
            contactSheet: try contactSheet(sheet))
    }

    /// The divergence of each picture's guided bit distributions from the full cache's, fed the full cache's bits:
    /// `[picture][scale]`.
    private func forcedDecoding(
        _ generator: ImageGenerator, requests: [ImageRequest], full: [GeneratedImage], teacher: [[Float]]
    ) throws -> [[ForcedDecodingDivergence]] {
        var hooks = GenerationHooks()
        hooks.forcedBits = model.schedule.grids.indices.map { scale in full.map { $0.bits[scale] } }
        var result = full.map { _ in [ForcedDecodingDivergence]() }
        var failure: (any Error)?
        hooks.logits = { scale, logits in
            let each = logits.count / full.count
            teacher[scale].withUnsafeBufferPointer { teacher in
                for image in full.indices {
                    let range = (image * each)..<((image + 1) * each)
                    var divergence = ForcedDecodingDivergence()
                    do {
                        try divergence.add(
                            teacher: UnsafeBufferPointer(rebasing: teacher[range]),
                            compressed: UnsafeBufferPointer(rebasing: logits[range]))
                    } catch { failure = failure ?? error }
                    result[image].append(divergence)
                }
            }
        }
        _ = try generator.generateBits(requests, settings: settings, hooks: hooks)
        if let failure { throw failure }
        return result
    }

    private func seconds(_ generator: ImageGenerator) -> Double? {
        generator.report.map { $0.times.totalSeconds / Double($0.images) }
    }

    private func score(_ picture: Picture, prompt: Int) -> SceneScore? {
        guard let scorer, let scene = scenes[prompt] else { return nil }
        return scorer.score(picture, expected: scene)
    }

    private func report(
        records: [[PictureRecord]], baseline: ImageGenerator, generators: [ImageGenerator]
    ) throws -> EvaluationReport {
        // Bytes of one picture: a ledger scales with its batch.
        func perImage(_ generator: ImageGenerator, _ bytes: (CacheLedger) -> Int) -> Int? {
            generator.report.map { bytes($0.ledger) / $0.images }
        }
        var rows = [
            try EvaluationRow(
                name: Self.baselineName, policy: "full", selection: "all", storage: StorageFormat.float32.name,
                keptShare: 1, predictedResidentBytes: perImage(baseline) { $0.predictedResidentBytes } ?? 0,
                measuredResidentBytes: perImage(baseline) { $0.peakResidentBytes }, records: records[0],
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
            model: model.identity.name, prompts: request.prompts.map(\.prompt), seeds: request.seeds, rows: rows,
            comparedRow: request.comparedRow, bootstrapSeed: request.bootstrapSeed, settings: settingsJSON)
    }

    private var settingsJSON: JSONValue {
        [
            "model": model.identity.jsonValue,
            "guidance": .array(settings.guidance.map { .number(Double($0)) }),
            "temperature": .array(settings.temperature.map { .number(Double($0)) }),
            "topP": .number(Double(settings.topP)), "topK": .integer(Int64(settings.topK)),
            "seeds": .array(request.seeds.map { .string("\($0)") }),
            "promptCount": .integer(Int64(request.prompts.count)), "batchSize": .integer(Int64(request.batchSize)),
            "profiles": .array(request.candidates.map { .string($0.name) }),
        ]
    }

    private func contactSheet(_ pictures: [[Picture?]]) throws -> Picture? {
        guard request.sheetColumns > 0, let columns = pictures.first?.count, columns > 0 else { return nil }
        var sheet = ContactSheet(captions: request.prompts.prefix(columns).map(\.prompt))
        sheet.add(ContactSheet.Row(label: Self.baselineName, pictures: pictures[0]))
        for (candidate, row) in zip(request.candidates, pictures.dropFirst()) {
            sheet.add(ContactSheet.Row(label: candidate.name, pictures: row))
        }
        return try sheet.render()
    }
}
