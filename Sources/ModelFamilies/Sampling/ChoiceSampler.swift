import TensorKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Draws one map's choices for one image. The random number of a choice depends on the image's seed, scale, token and
/// place in the token alone.
struct ChoiceSampler {
    let format: ChoiceFormat
    let sampler: ClassSampler

    /// Counter words that keep a mixture's noise apart from that of the draws (0), the signs of sketches (1, 2) and
    /// disturbances (3 to 6).
    private static let mixtureDomain: UInt32 = 7

    /// The choices `[n_k, perToken]` for guided logits `[n_k, perToken * values]`.
    func draw(_ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seed: UInt64) -> [Int32] {
        format.values == 2
            ? drawBits(logits, tokens: tokens, scale: scale, seed: seed)
            : drawClasses(logits, tokens: tokens, scale: scale, seed: seed)
    }

    /// A word a bit: four neighbours share a counter.
    private func drawBits(_ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seed: UInt64) -> [Int32] {
        let bits = format.perToken, random = CounterRandom(seed: seed)
        var result = [Int32](repeating: 0, count: tokens * bits)
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
        return result
    }

    /// A word a value of each choice: the draw is `argmax p_i / e_i`, `e_i = -ln u_i`.
    private func drawClasses(_ logits: UnsafePointer<Float>, tokens: Int, scale: Int, seed: UInt64) -> [Int32] {
        let rows = tokens * format.perToken, values = format.values
        var result = [Int32](repeating: 0, count: rows)
        result.withUnsafeMutableBufferPointer { result in
            nonisolated(unsafe) let result = result, logits = logits
            Parallel.forEach(parts: rows) { row in
                var masked = Array(UnsafeBufferPointer(start: logits + row * values, count: values))
                sampler.mask(&masked)
                let noise = Noise(seed: seed, row: row, scale: scale, domain: 0)
                result[row] = Int32(sampler.draw(probabilities: sampler.probabilities(masked)) { noise[$0] })
            }
        }
        return result
    }

    /// VAR's `more_smooth` (`models.md` section 2.6): the weights `[n_k, values]` with which the codebook's entries are
    /// mixed, `softmax((masked logits * (1 + r) + g) / tau)` with Gumbel noise g, `r = k / (K - 1)` and
    /// `tau = max(0.27 (1 - 0.95 r), 0.005)`.
    func mixture(
        _ logits: UnsafePointer<Float>, tokens: Int, scale: Int, scaleCount: Int, seed: UInt64
    ) -> [Float] {
        let rows = tokens * format.perToken, values = format.values
        let ratio = Double(scale) / Double(max(scaleCount - 1, 1))
        let temperature = Float(max(0.27 * (1 - 0.95 * ratio), 0.005))
        var result = [Float](repeating: 0, count: rows * values)
        result.withUnsafeMutableBufferPointer { result in
            nonisolated(unsafe) let result = result, logits = logits
            Parallel.forEach(parts: rows) { row in
                var masked = Array(UnsafeBufferPointer(start: logits + row * values, count: values))
                sampler.mask(&masked)
                let noise = Noise(seed: seed, row: row, scale: scale, domain: Self.mixtureDomain)
                let weights = sampler.mixture(masked, ratio: Float(ratio), temperature: temperature) { noise[$0] }
                for value in 0..<values { result[row * values + value] = weights[value] }
            }
        }
        return result
    }

    /// Exponential noise of one row of values, made where it is asked for.
    private struct Noise {
        let seed: UInt64
        let row: Int
        let scale: Int
        let domain: UInt32

        subscript(value: Int) -> Float {
            let w = CounterRandom(seed: seed).words(UInt32(row), UInt32(value / 4), UInt32(scale), domain)
            let word =
                switch value % 4 {
                case 0: w.0
                case 1: w.1
                case 2: w.2
                default: w.3
                }
            return -logf(CounterRandom.open01(word))
        }
    }
}
