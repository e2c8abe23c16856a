import TensorKernels

/// Draws one map's choices for a batch of images. The random number of a choice depends on its image's seed, the scale,
/// the token and the place in the token alone.
struct ChoiceSampler {
    let format: ChoiceFormat
    let sampler: ClassSampler
    /// Of ``scratchCount(_:)`` values.
    let scratch: ThreadScratch

    /// Counter words that keep a mixture's noise apart from that of the draws (0), the signs of sketches (1, 2) and
    /// disturbances (3 to 6).
    private static let mixtureDomain: UInt32 = 7

    /// The float32 values of scratch that each thread needs.
    static func scratchCount(_ format: ChoiceFormat) -> Int { ClassScratch.count(classes: format.values) }

    /// The choices `[n_k, perToken]` of each image for guided logits `[B, n_k, perToken * values]`, one seed an image.
    func draw(_ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seeds: [UInt64]) -> [[Int32]] {
        let each = tokens * format.logitsPerToken
        return seeds.enumerated().map { image, seed in
            [Int32](unsafeUninitializedCapacity: tokens * format.perToken) { result, count in
                count = tokens * format.perToken
                guard let to = result.baseAddress else { return }
                if format.values == 2 {
                    drawBits(logits + image * each, tokens: tokens, scale: scale, seed: seed, into: to)
                } else {
                    drawClasses(logits + image * each, tokens: tokens, scale: scale, seed: seed, into: to)
                }
            }
        }
    }

    /// A word a bit: four neighbours share a counter.
    private func drawBits(
        _ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seed: UInt64, into result: UnsafeMutablePointer<Int32>
    ) {
        let bits = format.perToken, random = CounterRandom(seed: seed)
        for token in 0..<tokens {
            for group in 0..<((bits + 3) / 4) {
                let w = random.words(UInt32(token), UInt32(group), UInt32(scale), 0)
                for (lane, word) in [w.0, w.1, w.2, w.3].enumerated() {
                    let bit = 4 * group + lane
                    guard bit < bits else { break }
                    let pair = (token * bits + bit) * 2
                    let drawn = sampler.drawBit(
                        zero: logits[pair], one: logits[pair + 1], uniform: CounterRandom.open01(word))
                    result[token * bits + bit] = drawn ? 1 : 0
                }
            }
        }
    }

    /// A word a value of each choice: the draw is `argmax p_i / e_i`, `e_i = -ln u_i`.
    private func drawClasses(
        _ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seed: UInt64, into result: UnsafeMutablePointer<Int32>
    ) {
        let values = format.values, random = CounterRandom(seed: seed)
        Parallel.forEach(parts: tokens * format.perToken) { row in
            let candidates = sampler.candidates(
                of: logits + row * values, count: values,
                scratch: ClassScratch(block: scratch.pointer, classes: values))
            result[row] = Int32(candidates.draw(noise: candidates.noise(random, UInt32(row), UInt32(scale), 0)))
        }
    }

    /// VAR's `more_smooth` (`models.md` section 2.6): the weights `[n_k, values]` with which the codebook's entries are
    /// mixed for one image, `softmax((masked logits * (1 + r) + g) / tau)` with Gumbel noise g, `r = k / (K - 1)` and
    /// `tau = max(0.27 (1 - 0.95 r), 0.005)`.
    func mixture(
        _ logits: UnsafePointer<Float>, tokens: Int, scale: Int, scaleCount: Int, seed: UInt64
    ) -> [Float] {
        let rows = tokens * format.perToken, values = format.values, random = CounterRandom(seed: seed)
        let ratio = Double(scale) / Double(max(scaleCount - 1, 1))
        let temperature = Float(max(0.27 * (1 - 0.95 * ratio), 0.005))
        return [Float](unsafeUninitializedCapacity: rows * values) { result, count in
            count = rows * values
            guard let to = result.baseAddress else { return }
            Parallel.forEach(parts: rows) { row in
                let candidates = sampler.candidates(
                    of: logits + row * values, count: values,
                    scratch: ClassScratch(block: scratch.pointer, classes: values))
                candidates.mix(
                    noise: candidates.noise(random, UInt32(row), UInt32(scale), Self.mixtureDomain),
                    ratio: Float(ratio), temperature: temperature, into: to + row * values, classes: values)
            }
        }
    }
}
