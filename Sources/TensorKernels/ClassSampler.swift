#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The sampling routine that both families share (`models.md` section 2.6): top-k, then top-p, softmax, one draw.
public struct ClassSampler: Sendable {
    /// Keep every logit at least as large as the k-th largest (ties kept); 0 keeps all. Clamped to the class count.
    public let topK: Int
    /// Drop the least likely classes whose running sum of probability is at most `1 - topP`; 0 keeps all.
    public let topP: Float

    /// Makes a sampler; see the properties.
    public init(topK: Int, topP: Float) {
        self.topK = topK
        self.topP = topP
    }

    /// Masks `logits` in place with -infinity: top-k, then top-p. Equal logits at the top-p cut are ordered by index.
    public func mask(_ logits: inout [Float]) {
        let count = logits.count
        if topK > 0, topK < count {
            var ranked = logits
            ranked.sort()
            let threshold = ranked[count - topK]
            for i in 0..<count where logits[i] < threshold { logits[i] = -.infinity }
        }
        guard topP > 0 else { return }
        let kept = logits.indices.filter { logits[$0] > -.infinity }
        let order = kept.sorted { logits[$0] < logits[$1] || (logits[$0] == logits[$1] && $0 < $1) }
        guard let last = order.last else { return }
        let top = logits[last]
        var exponentials = order.map { expf(logits[$0] - top) }
        let total = exponentials.reduce(0, +)
        for i in exponentials.indices { exponentials[i] /= total }
        var running: Float = 0
        for (i, share) in zip(order, exponentials).dropLast() {
            running += share
            if running <= 1 - topP { logits[i] = -.infinity }
        }
    }

    /// The probabilities of masked logits.
    public func probabilities(_ masked: [Float]) -> [Float] {
        let top = masked.max() ?? 0
        let exponentials = masked.map { expf($0 - top) }
        let total = exponentials.reduce(0, +)
        return exponentials.map { $0 / total }
    }

    /// The drawn class: `argmax p_i / e_i` with `e_i ~ Exp(1)` given by `noise`, which is asked only for classes that can
    /// be drawn; ties to the lowest index.
    public func draw(probabilities p: [Float], noise: (_ index: Int) -> Float) -> Int {
        var best = 0, largest: Float = -1
        for i in p.indices where p[i] > 0 {
            let ratio = p[i] / noise(i)
            if ratio > largest { (best, largest) = (i, ratio) }
        }
        return best
    }

    /// The weights of a soft draw: `softmax((masked logits * (1 + ratio) - ln e) / temperature)` with `e_i ~ Exp(1)` given
    /// by `noise`.
    public func mixture(
        _ masked: [Float], ratio: Float, temperature: Float, noise: (_ index: Int) -> Float
    ) -> [Float] {
        probabilities(
            masked.indices.map { i in
                masked[i] > -.infinity ? (masked[i] * (1 + ratio) - logf(noise(i))) / temperature : -.infinity
            })
    }

    /// Draws one bit from its two logits with a uniform number in (0, 1): 1 iff `uniform < p(1)` after masking.
    ///
    /// The two-class case of ``draw(probabilities:noise:)`` in closed form, without allocation: with `topP` a bit is
    /// deterministic when its rarer value has probability at most `1 - topP`. `topK` of 1 takes the likelier value.
    public func drawBit(zero: Float, one: Float, uniform: Float) -> Bool {
        let difference = one - zero
        if topK == 1 { return difference > 0 }
        let rarer = 1 / (1 + expf(abs(difference)))
        if topP > 0, rarer <= 1 - topP { return difference > 0 }
        let p = difference > 0 ? 1 - rarer : rarer
        return uniform < p
    }
}
