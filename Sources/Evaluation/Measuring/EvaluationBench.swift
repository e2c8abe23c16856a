import Generation
import ModelFamilies
import ProfileFormat
import TensorKernels
import VernierCore

/// Where candidates are measured: prompts encoded once, the full cache drawn for a batch, one way to compare with it.
///
/// ``Evaluator`` goes batch by batch and forgets the reference; a frontier keeps the references and goes candidate by
/// candidate. Both measure the same numbers, whatever the batch size.
///
/// A candidate runs freely (picture, choices, scene, time) and, where asked, fed the full cache's choices (forced-decoding
/// divergence of the guided logits, scale by scale). Noise is shared because it depends on seed and position alone.
package final class EvaluationBench {
    /// One picture to draw: places in ``prompts`` and ``seeds``.
    package struct Job: Sendable, Hashable {
        /// The prompt's place.
        package let prompt: Int
        /// The seed's place.
        package let seed: Int
    }

    /// The model.
    package let model: ImageModel
    /// The prompts.
    package let prompts: [CorpusPrompt]
    /// The seeds, one picture a prompt and seed.
    package let seeds: [UInt64]
    /// How tokens are drawn.
    package let settings: SamplingSettings
    /// Pictures drawn together.
    package let batchSize: Int
    /// Every prompt with every seed, by prompt.
    package let jobs: [Job]
    /// The full cache.
    package let baseline: ImageGenerator
    private let scorer: SceneScorer?
    private let scenes: [Scene?]
    private var requests: [ImageRequest?]  // of each prompt, seed left open

    /// Checks what is to be drawn; nothing is drawn or encoded yet.
    ///
    /// Throws ``VernierError/Code/emptyInput`` without prompts or seeds, ``VernierError/Code/invalidArgument`` for
    /// prompts that the model cannot draw, and ``VernierError/Code/malformedFile`` for a scene that cannot be read.
    package init(
        model: ImageModel, prompts: [CorpusPrompt], seeds: [UInt64], settings: SamplingSettings,
        vocabulary: SceneVocabulary?, batchSize: Int
    ) throws {
        guard !prompts.isEmpty, !seeds.isEmpty, batchSize > 0 else {
            throw VernierError(
                .emptyInput, at: "evaluation", expected: "at least one prompt, one seed and a batch size of 1",
                found: "\(prompts.count) prompts, \(seeds.count) seeds, batch \(batchSize)")
        }
        try model.requireKnown(prompts)
        self.model = model
        self.prompts = prompts
        self.seeds = seeds
        self.settings = settings
        self.batchSize = batchSize
        jobs = prompts.indices.flatMap { prompt in seeds.indices.map { Job(prompt: prompt, seed: $0) } }
        baseline = try ImageGenerator(model: model)
        scorer = vocabulary.map(SceneScorer.init)
        scenes = try prompts.map { prompt in
            try vocabulary == nil ? nil : prompt.scene.map { try Scene($0, place: "prompt \(prompt.index)") }
        }
        requests = Array(repeating: nil, count: prompts.count)
    }

    /// The jobs in the pieces that are drawn together.
    package var batches: [Range<Int>] {
        stride(from: 0, to: jobs.count, by: batchSize).map { $0..<min($0 + batchSize, jobs.count) }
    }

    /// Draws a batch with the full cache.
    package func reference(_ batch: Range<Int>) throws -> ReferenceBatch {
        var logits: [[Float]] = []
        var hooks = GenerationHooks()
        hooks.logits = { _, values in logits.append(Array(values)) }
        let images = try baseline.generateBatch(try requests(batch), settings: settings, hooks: hooks)
        let seconds = Self.seconds(baseline)
        let records = zip(batch, images).map { place, image in
            var record = PictureRecord(prompt: jobs[place].prompt, seed: jobs[place].seed)
            record.seconds = seconds
            record.sceneScore = score(image.picture, prompt: record.prompt)
            return record
        }
        return ReferenceBatch(jobs: batch, images: images, records: records, logits: logits)
    }

    /// Draws a batch with a candidate and measures how far it is from the reference; one record and picture a job.
    ///
    /// - Parameter divergencePrompts: the forced-decoding divergence is measured on the first so many prompts; nil for
    ///   all. Costs a second run of the candidate, and one of the full cache if the reference gave its logits up.
    package func measure(
        _ generator: ImageGenerator, against reference: ReferenceBatch, divergencePrompts: Int? = nil
    ) throws -> [(record: PictureRecord, picture: Picture)] {
        let requests = try requests(reference.jobs)
        let images = try generator.generateBatch(requests, settings: settings)
        let seconds = Self.seconds(generator)
        let divergences =
            measuresDivergence(reference.jobs, divergencePrompts)
            ? try forcedDecoding(generator, requests: requests, reference: reference) : []
        return try reference.jobs.enumerated().map { place, job in
            let full = reference.images[place], image = images[place]
            var record = PictureRecord(prompt: jobs[job].prompt, seed: jobs[job].seed)
            record.seconds = seconds
            record.meanSquaredError = try PeakSignalNoise.meanSquaredError(image.picture, full.picture)
            record.structuralSimilarity = try StructuralSimilarity.mean(image.picture, full.picture)
            record.bitAgreement = try BitAgreement.share(image.choices.flatMap { $0 }, full.choices.flatMap { $0 })
            if divergences.indices.contains(place), record.prompt < divergencePrompts ?? Int.max {
                record.forcedDecodingKLNatsByScale = divergences[place].map { $0.meanNats ?? 0 }
                var all = ForcedDecodingDivergence()
                for scale in divergences[place] { all.add(scale) }
                record.forcedDecodingKLNats = all.meanNats
            }
            record.sceneScore = score(image.picture, prompt: record.prompt)
            return (record, image.picture)
        }
    }

    /// Whether ``measure(_:against:divergencePrompts:)`` runs the batch a second time: its first prompt is among those
    /// that are measured.
    package func measuresDivergence(_ batch: Range<Int>, _ divergencePrompts: Int?) -> Bool {
        batch.first.map { jobs[$0].prompt < divergencePrompts ?? Int.max } ?? false
    }

    /// What decides the numbers, for settings files; the model's identity included.
    package var settingsJSON: [(key: String, value: JSONValue)] {
        [
            ("model", model.identity.jsonValue),
            ("guidance", .array(settings.guidance.map { .number(Double($0)) })),
            ("temperature", .array(settings.temperature.map { .number(Double($0)) })),
            ("topP", .number(Double(settings.topP))), ("topK", .integer(Int64(settings.topK))),
            ("seeds", .array(seeds.map { .string("\($0)") })), ("promptCount", .integer(Int64(prompts.count))),
        ]
            + (settings.placement == .logits
                ? [] : [("guidanceLayers", .array(settings.placement.layers.map { .integer(Int64($0)) }))])
            + (Arithmetic.current == .float32 ? [] : [("arithmetic", .string(Arithmetic.current.rawValue))])
    }

    // MARK: - Parts

    /// The divergence of each picture's guided distributions from the full cache's, fed the full cache's choices:
    /// `[picture][scale]`.
    private func forcedDecoding(
        _ generator: ImageGenerator, requests: [ImageRequest], reference: ReferenceBatch
    ) throws -> [[ForcedDecodingDivergence]] {
        let full = reference.images, values = model.network.choices.values
        var hooks = GenerationHooks()
        hooks.forcedChoices = model.schedule.grids.indices.map { scale in full.map { $0.choices[scale] } }
        let teacher = try reference.logits ?? logits(requests, hooks)
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
                            compressed: UnsafeBufferPointer(rebasing: logits[range]), values: values)
                    } catch { failure = failure ?? error }
                    result[image].append(divergence)
                }
            }
        }
        _ = try generator.generateChoices(requests, settings: settings, hooks: hooks)
        if let failure { throw failure }
        return result
    }

    /// The full cache's logits for choices that it drew before.
    private func logits(_ requests: [ImageRequest], _ forced: GenerationHooks) throws -> [[Float]] {
        var logits: [[Float]] = []
        var hooks = forced
        hooks.logits = { _, values in logits.append(Array(values)) }
        _ = try baseline.generateChoices(requests, settings: settings, hooks: hooks)
        return logits
    }

    private func requests(_ batch: Range<Int>) throws -> [ImageRequest] {
        try batch.map { place in
            let job = jobs[place]
            var request = try requests[job.prompt] ?? model.request(for: prompts[job.prompt], seed: 0)
            requests[job.prompt] = request
            request.seed = seeds[job.seed]
            return request
        }
    }

    private static func seconds(_ generator: ImageGenerator) -> Double? {
        generator.report.map { $0.times.totalSeconds / Double($0.images) }
    }

    private func score(_ picture: Picture, prompt: Int) -> SceneScore? {
        guard let scorer, let scene = scenes[prompt] else { return nil }
        return scorer.score(picture, expected: scene)
    }
}
