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

    /// Writes the choices `[B, n_k, perToken]` for guided logits `[B, n_k, perToken * values]`, one seed an image.
    func draw(
        _ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seeds: [UInt64],
        into choices: UnsafeMutablePointer<Int32>
    ) {
        if format.values == 2 {
            drawBits(logits, tokens: tokens, scale: scale, seeds: seeds, into: choices)
        } else {
            drawClasses(logits, tokens: tokens, scale: scale, seeds: seeds, into: choices)
        }
    }

    /// A word a bit: four neighbours share a counter.
    private func drawBits(
        _ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seeds: [UInt64],
        into choices: UnsafeMutablePointer<Int32>
    ) {
        // Parts of a tenth of a millisecond: less is not worth waking a thread for.
        let bits = format.perToken, each = max(8192 / max(bits, 1), 1), pieces = (tokens + each - 1) / each
        Parallel.forEach(parts: seeds.count * pieces) { part in
            let image = part / pieces, first = part % pieces * each, random = CounterRandom(seed: seeds[image])
            for token in first..<min(first + each, tokens) {
                let start = (image * tokens + token) * bits
                for group in 0..<((bits + 3) / 4) {
                    let words = random.words(UInt32(token), UInt32(group), UInt32(scale), 0)
                    for bit in (4 * group)..<min(4 * group + 4, bits) {
                        let word = Self.word(bit % 4, of: words), pair = (start + bit) * 2
                        let drawn = sampler.drawBit(
                            zero: logits[pair], one: logits[pair + 1], uniform: CounterRandom.open01(word))
                        choices[start + bit] = drawn ? 1 : 0
                    }
                }
            }
        }
    }

    private static func word(_ lane: Int, of words: (UInt32, UInt32, UInt32, UInt32)) -> UInt32 {
        switch lane {
        case 0: words.0
        case 1: words.1
        case 2: words.2
        default: words.3
        }
    }

    /// A word a value of each choice: the draw is `argmax p_i / e_i`, `e_i = -ln u_i`.
    private func drawClasses(
        _ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seeds: [UInt64],
        into choices: UnsafeMutablePointer<Int32>
    ) {
        let values = format.values, rows = tokens * format.perToken
        Parallel.forEach(parts: seeds.count * rows) { part in
            let candidates = sampler.candidates(
                of: logits + part * values, count: values,
                scratch: ClassScratch(block: scratch.pointer, classes: values))
            let noise = candidates.noise(
                CounterRandom(seed: seeds[part / rows]), UInt32(part % rows), UInt32(scale), 0)
            choices[part] = Int32(candidates.draw(noise: noise))
        }
    }

    /// VAR's `more_smooth` (`models.md` section 2.6): writes the weights `[n_k, values]` with which the codebook's entries
    /// are mixed for one image, `softmax((masked logits * (1 + r) + g) / tau)` with Gumbel noise g, `r = k / (K - 1)` and
    /// `tau = max(0.27 (1 - 0.95 r), 0.005)`.
    func mix(
        _ logits: UnsafePointer<Float>, tokens: Int, scale: Int, scaleCount: Int, seed: UInt64,
        into weights: UnsafeMutablePointer<Float>
    ) {
        let values = format.values, random = CounterRandom(seed: seed)
        let ratio = Double(scale) / Double(max(scaleCount - 1, 1))
        let temperature = Float(max(0.27 * (1 - 0.95 * ratio), 0.005))
        Parallel.forEach(parts: tokens * format.perToken) { row in
            let candidates = sampler.candidates(
                of: logits + row * values, count: values,
                scratch: ClassScratch(block: scratch.pointer, classes: values))
            candidates.mix(
                noise: candidates.noise(random, UInt32(row), UInt32(scale), Self.mixtureDomain),
                ratio: Float(ratio), temperature: temperature, into: weights + row * values, classes: values)
        }
    }
}
