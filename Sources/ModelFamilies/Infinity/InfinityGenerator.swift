import KVCacheRuntime
import ProfileFormat
import TensorKernels
import VernierCore

/// Draws a batch of images' bits, scale by scale, against one cache (`models.md` sections 3.5-3.7).
///
/// Made once for a batch size and a cache, used for any number of batches: nothing large is allocated per image.
public final class InfinityGenerator {
    /// Bits and codes of one batch.
    public struct Output: Sendable {
        /// Bits `[scale][image][n_k, D]`.
        public let bits: [[[UInt8]]]
        /// Summed codes of each image, `[Hf, Wf, d]`, channels last: the decoder's input.
        public let codes: [[Float]]
        /// Seconds by stage (no decoder).
        public let times: StageTimes
    }

    /// The transformer.
    public let transformer: InfinityTransformer
    /// The cache, and in it the ledger of the last batch.
    public let cache: KVCache
    private let session: InfinitySession
    private var codes: [ResidualCode]

    /// Images per batch.
    public var images: Int { cache.geometry.images }
    /// Bytes of activations and scratch.
    public var transientBytes: Int { session.activationBytes + cache.ledger.transientBytes }

    /// Prepares for batches of the cache's size.
    public init(transformer: InfinityTransformer, cache: KVCache) {
        self.transformer = transformer
        self.cache = cache
        session = InfinitySession(transformer, cache: cache)
        codes = Array(repeating: ResidualCode(shape: transformer.shape), count: cache.geometry.images)
    }

    /// Generates one batch.
    ///
    /// `text` holds one entry a sequence: all conditional ones, then (with two branches) all unconditional ones. `seeds`
    /// holds one seed an image: the bit at (scale, token, channel) is drawn with a number that depends on the image's seed
    /// and this position alone. Guidance: `g * conditional + (1 - g) * unconditional`, then division by the temperature.
    ///
    /// Throws ``VernierError/Code/nonFinite`` if logits are not finite, ``VernierError/Code/mismatch`` if forced bits do
    /// not fit.
    /// - Precondition: `text` has one entry a sequence and `seeds`, those of a disturbance too, one an image.
    public func generate(
        text: [TextRows], seeds: [UInt64], settings: SamplingSettings, hooks: GenerationHooks = GenerationHooks()
    ) throws -> Output {
        let shape = transformer.shape, geometry = cache.geometry
        precondition(
            text.count == geometry.sequences && seeds.count == images
                && (hooks.disturbance.map { $0.seeds.count == images } ?? true),
            "one text a sequence, one seed an image")
        try checkForced(hooks.forcedBits)
        var times = StageTimes(scaleCount: shape.schedule.scaleCount)
        let clock = ContinuousClock()
        var conditioning: InfinityConditioning?
        times.textSeconds = clock.seconds { conditioning = InfinityConditioning(transformer, text: text) }
        guard let conditioning else { preconditionFailure("conditioning was just computed") }
        if let observer = hooks.attention { conditioning.reportGates(to: observer) }
        cache.reset()
        for index in codes.indices { codes[index].reset() }
        var allBits: [[[UInt8]]] = []
        for scale in 0..<shape.schedule.scaleCount {
            let input = scale == 0 ? nil : codes.flatMap { $0.input(scale: scale) }
            var logits = UnsafeBufferPointer<Float>(start: nil, count: 0)
            times.transformerSeconds[scale] = clock.seconds {
                session.embed(scale: scale, input: input, conditioning: conditioning)
                hooks.hiddenIn?(scale, session.hiddenState(scale: scale))
                session.runBlocks(
                    scale: scale, conditioning: conditioning, observer: hooks.attention, disturbance: hooks.disturbance)
                hooks.hiddenOut?(scale, session.hiddenState(scale: scale))
                logits = session.headLogits(scale: scale, conditioning: conditioning)
            }
            var failure: VernierError?
            times.samplingSeconds += clock.seconds {
                let guided = guide(logits, scale: scale, settings: settings)
                if !Kernels.allFinite(guided, count: guided.count) {
                    failure = VernierError(
                        .nonFinite, at: "logits of scale \(scale)", expected: "finite numbers",
                        found: "NaN or infinity",
                        remedy:
                            "The weights or the guidance (\(settings.guidance(scale: scale))) drive the model out of range."
                    )
                    return
                }
                guided.withUnsafeBufferPointer { hooks.logits?(scale, $0) }
                let bits = hooks.forcedBits?[scale] ?? draw(guided, scale: scale, seeds: seeds, settings: settings)
                for image in 0..<images { codes[image].add(bits: bits[image], scale: scale) }
                allBits.append(bits)
            }
            if let failure { throw failure }
            hooks.finishedScale?(scale)
        }
        return Output(bits: allBits, codes: codes.map(\.values), times: times)
    }

    /// Guided logits over temperature, `[B, n_k, 2 D]`.
    private func guide(_ logits: UnsafeBufferPointer<Float>, scale: Int, settings: SamplingSettings) -> [Float] {
        let each = transformer.shape.schedule.tokenCount(scale) * 2 * transformer.shape.bits, count = images * each
        let guidance = settings.guidance(scale: scale), temperature = settings.temperature(scale: scale)
        return [Float](unsafeUninitializedCapacity: count) { result, initialised in
            if guidance == 1 || cache.geometry.branches == 1 {
                for i in 0..<count { result[i] = logits[i] / temperature }
            } else {
                let rest = 1 - guidance
                for i in 0..<count {
                    result[i] = (guidance * logits[i] + rest * logits[count + i]) / temperature
                }
            }
            initialised = count
        }
    }

    private func draw(_ logits: [Float], scale: Int, seeds: [UInt64], settings: SamplingSettings) -> [[UInt8]] {
        let bits = transformer.shape.bits, tokens = transformer.shape.schedule.tokenCount(scale)
        let sampler = ClassSampler(topK: settings.topK, topP: settings.topP)
        return seeds.enumerated().map { image, seed in
            let random = CounterRandom(seed: seed)
            var result = [UInt8](repeating: 0, count: tokens * bits)
            for token in 0..<tokens {
                for group in 0..<((bits + 3) / 4) {
                    let w = random.words(UInt32(token), UInt32(group), UInt32(scale), 0)
                    for (lane, word) in [w.0, w.1, w.2, w.3].enumerated() {
                        let bit = 4 * group + lane
                        guard bit < bits else { break }
                        let pair = ((image * tokens + token) * bits + bit) * 2
                        let drawn = sampler.drawBit(
                            zero: logits[pair], one: logits[pair + 1], uniform: CounterRandom.open01(word))
                        result[token * bits + bit] = drawn ? 1 : 0
                    }
                }
            }
            return result
        }
    }

    private func checkForced(_ forced: [[[UInt8]]]?) throws {
        guard let forced else { return }
        let schedule = transformer.shape.schedule
        let expected = (0..<schedule.scaleCount).map { schedule.tokenCount($0) * transformer.shape.bits }
        let fits =
            forced.count == expected.count
            && zip(forced, expected).allSatisfy { bits, count in
                bits.count == images && bits.allSatisfy { $0.count == count && $0.allSatisfy { $0 < 2 } }
            }
        guard fits else {
            throw VernierError(
                .mismatch, at: "forced bits", expected: "0 or 1, \(expected) values a scale for \(images) images",
                found: "\(forced.map { $0.map(\.count) })")
        }
    }
}

extension ContinuousClock {
    /// Wall-clock seconds that `body` takes.
    func seconds(_ body: () -> Void) -> Double {
        let duration = measure(body).components
        return Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
    }
}
