#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The classes that may be drawn for one token, with their probabilities. Borrowed from a ``ClassScratch``.
public struct ClassCandidates {
    private let logits: UnsafePointer<Float>
    private let scratch: ClassScratch
    /// How many there are.
    public let count: Int

    init(logits: UnsafePointer<Float>, count: Int, scratch: ClassScratch) {
        self.logits = logits
        self.count = count
        self.scratch = scratch
    }

    /// The classes, ascending.
    public var indices: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: scratch.indices, count: count) }
    /// The probability of each: the softmax over the candidates.
    public var probabilities: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: scratch.weights, count: count) }

    /// Noise `e ~ Exp(1)` for each candidate: that of class `i` is `-ln u` of word `i % 4` of the counter
    /// `(c0, i / 4, c2, c3)`. Lies in the scratch.
    public func noise(_ random: CounterRandom, _ c0: UInt32, _ c2: UInt32, _ c3: UInt32) -> UnsafePointer<Float> {
        let indices = scratch.indices, counters = scratch.counters, noise = scratch.noise
        // Candidates ascend, so those that share a counter are neighbours.
        var counterCount = 0, last: UInt32 = .max
        for place in 0..<count {
            let counter = UInt32(bitPattern: indices[place]) / 4
            counters[counterCount] = counter
            if counter != last { counterCount &+= 1 }
            last = counter
        }
        random.words(c0, UnsafePointer(counters), c2, c3, count: counterCount, into: scratch.words)
        var current = -1
        last = .max
        for place in 0..<count {
            let index = UInt32(bitPattern: indices[place])
            if index / 4 != last { current &+= 1 }
            last = index / 4
            noise[place] = -logf(CounterRandom.open01(scratch.words[4 &* current &+ Int(index % 4)]))
        }
        return UnsafePointer(noise)
    }

    /// The drawn class: `argmax p_i / e_i` with `e_i ~ Exp(1)` given by `noise` `[count]`; ties to the lowest index.
    public func draw(noise: UnsafePointer<Float>) -> Int {
        let p = scratch.weights
        var best = 0, largest: Float = 0
        for place in 0..<count {
            let ratio = p[place] / noise[place]
            if ratio > largest { (best, largest) = (Int(scratch.indices[place]), ratio) }
        }
        return best
    }

    /// Writes the weights `[classes]` of a soft draw: `softmax((logit * (1 + ratio) - ln e) / temperature)` over the
    /// candidates with `e_i ~ Exp(1)` given by `noise` `[count]`, and 0 for every other class. The probabilities are lost.
    public func mix(
        noise: UnsafePointer<Float>, ratio: Float, temperature: Float, into weights: UnsafeMutablePointer<Float>,
        classes: Int
    ) {
        let p = scratch.weights, indices = scratch.indices
        var top = -Float.infinity
        for place in 0..<count {
            p[place] = (logits[Int(indices[place])] * (1 + ratio) - logf(noise[place])) / temperature
            top = max(top, p[place])
        }
        var total: Float = 0
        for place in 0..<count {
            p[place] = expf(p[place] - top)
            total += p[place]
        }
        weights.update(repeating: 0, count: classes)
        for place in 0..<count { weights[Int(indices[place])] = p[place] / total }
    }
}
