import TensorKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The sampling routine as plainly as it can be written, over all classes: the reference for ``ClassSampler``.
struct PlainSampler {
    let topK: Int
    let topP: Float

    /// Masked logits: -infinity for what is dropped.
    func masked(_ logits: [Float]) -> [Float] {
        var logits = logits
        let count = logits.count
        if topK > 0, topK < count {
            let threshold = logits.sorted()[count - topK]
            for i in 0..<count where logits[i] < threshold { logits[i] = -.infinity }
        }
        guard topP > 0 else { return logits }
        let kept = logits.indices.filter { logits[$0] > -.infinity }
        let order = kept.sorted { logits[$0] < logits[$1] || (logits[$0] == logits[$1] && $0 < $1) }
        guard let last = order.last else { return logits }
        let top = logits[last]
        var exponentials = order.map { expf(logits[$0] - top) }
        let total = exponentials.reduce(0, +)
        for i in exponentials.indices { exponentials[i] /= total }
        var running: Float = 0
        for (i, share) in zip(order, exponentials).dropLast() {
            running += share
            if running <= 1 - topP { logits[i] = -.infinity }
        }
        return logits
    }

    func probabilities(_ masked: [Float]) -> [Float] {
        let top = masked.max() ?? 0
        let exponentials = masked.map { expf($0 - top) }
        let total = exponentials.reduce(0, +)
        return exponentials.map { $0 / total }
    }

    func draw(_ p: [Float], noise: (Int) -> Float) -> Int {
        var best = 0, largest: Float = -1
        for i in p.indices where p[i] > 0 {
            let ratio = p[i] / noise(i)
            if ratio > largest { (best, largest) = (i, ratio) }
        }
        return best
    }

    func mixture(_ masked: [Float], ratio: Float, temperature: Float, noise: (Int) -> Float) -> [Float] {
        probabilities(
            masked.indices.map { i in
                masked[i] > -.infinity ? (masked[i] * (1 + ratio) - logf(noise(i))) / temperature : -.infinity
            })
    }

    /// The noise of class `index`, word by word.
    static func noise(_ random: CounterRandom, _ c0: UInt32, _ c2: UInt32, _ c3: UInt32, index: Int) -> Float {
        let w = random.words(c0, UInt32(index / 4), c2, c3)
        return -logf(CounterRandom.open01([w.0, w.1, w.2, w.3][index % 4]))
    }
}
