import KVCacheRuntime
import ProfileFormat
import TensorKernels
import VernierCore

/// Draws a batch of images' choices, scale by scale, against one cache (`models.md` sections 2.4 and 3.5-3.7).
///
/// Made once for a batch size and a cache, used for any number of batches: nothing is allocated per scale, and nothing
/// large per image but its results.
public final class NextScaleGenerator {
    /// Choices and codes of one batch.
    public struct Output: Sendable {
        /// Choices `[scale][image][n_k, perToken]`: bits, or entries of the codebook.
        public let choices: [[[Int32]]]
        /// Summed codes of each image, `[Hf, Wf, d]`, channels last: the decoder's input.
        public let codes: [[Float]]
        /// Seconds by stage (no decoder).
        public let times: StageTimes
        /// Where the last stage ended, for those that follow.
        public let clock: StageClock
    }

    /// The model.
    public let model: any NextScaleModel
    /// The cache, and in it the ledger of the last batch.
    public let cache: KVCache
    private let session: TransformerSession
    private let codes: ResidualCodes
    private let drawn: DrawnChoices
    private let guided: FloatBuffer  // logits [B, n_k, perToken * values] of the largest map
    private let vectors: FloatBuffer  // codes or input [B, n_k, channels] of the largest map
    private let weights = ScratchBuffer<Float>()  // [n_k, values] of a mixture
    private let scratch = ThreadScratch(countEach: 0)  // of the sampler

    /// Images per batch.
    public var images: Int { cache.geometry.images }
    /// Bytes of activations and scratch, blocks of this process's threads included.
    public var transientBytes: Int {
        session.activationBytes + codes.byteCount + drawn.byteCount + guided.byteCount + vectors.byteCount
            + weights.byteCount + scratch.byteCount + cache.ledger.transientBytes + ThreadBlock.totalBytes
    }

    /// Prepares for batches of the cache's size.
    /// - Precondition: the cache's geometry is the transformer's.
    public init(model: any NextScaleModel, cache: KVCache) {
        self.model = model
        self.cache = cache
        session = TransformerSession(model.stack, cache: cache)
        let images = cache.geometry.images, schedule = model.stack.schedule
        let most = images * (schedule.grids.map(\.tokenCount).max() ?? 0)
        codes = model.makeCodes(images: images)
        drawn = DrawnChoices(schedule: schedule, images: images, perToken: model.choices.perToken)
        guided = FloatBuffer(count: most * model.choices.logitsPerToken)
        vectors = FloatBuffer(count: most * codes.tokenChannels)
    }

    /// Generates one batch. The first stage began when `clock` did.
    ///
    /// `conditions` holds one entry a sequence: all conditional ones, then (with two branches) all unconditional ones.
    /// `seeds` holds one seed an image: what is drawn at (scale, token, channel) depends, for given logits, on the image's
    /// seed and this position alone. Logits are guided as the family does it, then divided by the temperature.
    ///
    /// Throws ``VernierError/Code/nonFinite`` if logits are not finite, ``VernierError/Code/mismatch`` if forced choices do
    /// not fit, ``VernierError/Code/invalidArgument`` for conditions or settings that the model does not know.
    /// - Precondition: there is one condition a sequence and one seed, that of a disturbance too, an image.
    public func generate(
        conditions: [ImageCondition], seeds: [UInt64], settings: SamplingSettings,
        hooks: GenerationHooks = GenerationHooks(), clock: StageClock = StageClock()
    ) throws -> Output {
        let schedule = model.stack.schedule
        precondition(
            conditions.count == cache.geometry.sequences && seeds.count == images
                && (hooks.disturbance.map { $0.seeds.count == images } ?? true),
            "one condition a sequence, one seed an image")
        try checkForced(hooks.forcedChoices)
        try settings.requireFit(scaleCount: schedule.scaleCount, depth: model.stack.depth)
        guard !settings.mixesCodes || model.mixesCodes else {
            throw VernierError(
                .invalidArgument, at: "sampling", expected: "drawn codes",
                found: "mixed codes, which this family does not have", remedy: "Leave the mixing out.")
        }
        var times = StageTimes(scaleCount: schedule.scaleCount), clock = clock
        let conditioning = try model.conditioning(for: conditions)
        if let observer = hooks.attention { conditioning.reportGates(to: observer) }
        cache.reset()
        codes.reset()
        let sampler = sampler(settings)
        times.textSeconds = clock.lap()
        for scale in 0..<schedule.scaleCount {
            if scale > 0, hooks.start == nil { codes.writeInput(scale: scale, into: vectors.pointer) }
            times.samplingSeconds += clock.lap()
            if let other = hooks.start {
                session.take(hidden: other.hidden[scale], scale: scale)
            } else {
                session.embed(
                    scale: scale, input: scale > 0 ? UnsafePointer(vectors.pointer) : nil, conditioning: conditioning)
            }
            hooks.hiddenIn?(scale, session.hiddenState(scale: scale))
            session.runBlocks(
                scale: scale, conditioning: conditioning,
                guidance: guidesBranches(scale, settings) ? model.guidance(scale: scale, settings: settings) : nil,
                placement: settings.placement, observer: hooks.attention, disturbance: hooks.disturbance,
                start: hooks.start?.layer ?? 0, entering: hooks.hiddenEntering)
            hooks.hiddenOut?(scale, session.hiddenState(scale: scale))
            let logits = session.headLogits(scale: scale, conditioning: conditioning)
            times.transformerSeconds[scale] = clock.lap()
            try guide(logits, scale: scale, settings: settings)
            hooks.logits?(scale, UnsafeBufferPointer(start: guided.pointer, count: images * logitCount(scale)))
            if let forced = hooks.forcedChoices {
                drawn.set(forced[scale], scale: scale)
            } else {
                sampler.draw(
                    guided.pointer, tokens: schedule.tokenCount(scale), scale: scale, seeds: seeds,
                    into: drawn.map(scale: scale))
            }
            addCodes(scale: scale, sampler: sampler, seeds: seeds, settings: settings)
            hooks.finishedScale?(scale)
        }
        let choices = drawn.arrays, summed = (0..<images).map { codes.values(image: $0) }
        times.samplingSeconds += clock.lap()
        times.attentionThreadSeconds = cache.times.attendingSeconds
        times.retentionThreadSeconds = cache.times.retainingSeconds
        return Output(choices: choices, codes: summed, times: times, clock: clock)
    }

    /// Whether the unconditional branch has a say at a scale.
    private func guidesBranches(_ scale: Int, _ settings: SamplingSettings) -> Bool {
        cache.geometry.branches > 1 && model.guidance(scale: scale, settings: settings).unconditional != 0
    }

    /// Writes guided logits over temperature, `[B, n_k, logits]`.
    private func guide(_ logits: UnsafeBufferPointer<Float>, scale: Int, settings: SamplingSettings) throws {
        let count = images * logitCount(scale), each = 1 << 17, result = guided.pointer
        let guidance = model.guidance(scale: scale, settings: settings)
        let temperature = settings.temperature(scale: scale)
        let mixes = settings.placement.onLogits && guidesBranches(scale, settings)
        guard let conditional = logits.baseAddress else { return }
        Parallel.forEach(parts: (count + each - 1) / each) { part in
            let places = (part * each)..<min((part + 1) * each, count)
            guard mixes else {
                for i in places { result[i] = conditional[i] / temperature }
                return
            }
            let unconditional = conditional + count
            for i in places {
                result[i] =
                    (guidance.conditional * conditional[i] + guidance.unconditional * unconditional[i]) / temperature
            }
        }
        guard Kernels.allFinite(result, count: count) else {
            throw VernierError(
                .nonFinite, at: "logits of scale \(scale)", expected: "finite numbers", found: "NaN or infinity",
                remedy: "The weights or the guidance (\(settings.guidance(scale: scale))) drive the model out of range."
            )
        }
    }

    /// Logits of one image at a scale.
    private func logitCount(_ scale: Int) -> Int {
        model.stack.schedule.tokenCount(scale) * model.choices.logitsPerToken
    }

    private func sampler(_ settings: SamplingSettings) -> ChoiceSampler {
        scratch.reserve(countEach: ChoiceSampler.scratchCount(model.choices))
        return ChoiceSampler(
            format: model.choices, sampler: ClassSampler(topK: settings.topK, topP: settings.topP), scratch: scratch)
    }

    /// Adds the codes of a map's choices, or of the mixtures they were drawn from, to the images so far.
    private func addCodes(scale: Int, sampler: ChoiceSampler, seeds: [UInt64], settings: SamplingSettings) {
        let schedule = model.stack.schedule, tokens = schedule.tokenCount(scale)
        if settings.mixesCodes {
            weights.reserve(tokens * model.choices.logitsPerToken)
            for (image, seed) in seeds.enumerated() {
                sampler.mix(
                    guided.pointer + image * logitCount(scale), tokens: tokens, scale: scale,
                    scaleCount: schedule.scaleCount, seed: seed, into: weights.pointer)
                model.writeVectors(
                    mixedBy: weights.pointer, tokens: tokens,
                    into: vectors.pointer + image * tokens * codes.tokenChannels)
            }
        } else {
            model.writeVectors(of: drawn.map(scale: scale), tokens: images * tokens, into: vectors.pointer)
        }
        codes.add(vectors.pointer, scale: scale)
    }

    private func checkForced(_ forced: [[[Int32]]]?) throws {
        guard let forced else { return }
        let schedule = model.stack.schedule, values = Int32(model.choices.values)
        let expected = (0..<schedule.scaleCount).map { schedule.tokenCount($0) * model.choices.perToken }
        let fits =
            forced.count == expected.count
            && zip(forced, expected).allSatisfy { choices, count in
                choices.count == images
                    && choices.allSatisfy { $0.count == count && $0.allSatisfy { (0..<values).contains($0) } }
            }
        guard fits else {
            throw VernierError(
                .mismatch, at: "forced \(model.choices.name)s",
                expected: "0 to \(values - 1), \(expected) values a scale for \(images) images",
                found: "\(forced.map { $0.map(\.count) })")
        }
    }
}
