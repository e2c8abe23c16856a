import CKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The sampling routine that both families share (`models.md` section 2.6): top-k, then top-p, softmax, one draw.
///
/// Classes that cannot be drawn cost one pass over the logits and no more; the result is that of the routine carried out
/// over all classes, bit for bit.
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

    /// The classes that top-k and then top-p leave of `count` logits, with their probabilities. Equal logits at the
    /// top-p cut are ordered by index. A logit of -infinity or NaN is never left.
    ///
    /// The result lies in `scratch` and is valid until that is used again.
    public func candidates(
        of logits: UnsafePointer<Float>, count: Int, scratch: ClassScratch
    ) -> ClassCandidates {
        let indices = scratch.indices, weights = scratch.weights
        let threshold = max(smallestKept(logits, count: count), -Float.greatestFiniteMagnitude)
        var kept = vk_places_at_least(logits, count, threshold, indices)
        var top = -Float.infinity
        for place in 0..<kept { top = max(top, logits[Int(indices[place])]) }
        for place in 0..<kept { weights[place] = expf(logits[Int(indices[place])] - top) }
        if topP > 0 { kept = dropUnlikely(logits, kept: kept, scratch: scratch) }
        var total: Float = 0
        for place in 0..<kept { total += weights[place] }
        for place in 0..<kept { weights[place] /= total }
        return ClassCandidates(logits: logits, count: kept, scratch: scratch)
    }

    /// The k-th largest logit; -infinity if all are kept.
    private func smallestKept(_ logits: UnsafePointer<Float>, count: Int) -> Float {
        guard topK > 0, topK < count else { return -.infinity }
        // Bisection over floats in their order: at least k logits reach `low`, fewer reach `high`. When exactly k reach
        // `low`, they are the k largest, whatever lies between.
        var low = SortedFloats.key(-.infinity), high = SortedFloats.key(.infinity)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            let reached = vk_count_at_least(logits, count, SortedFloats.value(middle))
            if reached < topK {
                high = middle
            } else {
                low = middle
                if reached == topK { break }
            }
        }
        return SortedFloats.value(low)
    }

    /// Top-p on the first `kept` of the scratch's indices and unnormalised weights; returns how many are left.
    private func dropUnlikely(_ logits: UnsafePointer<Float>, kept: Int, scratch: ClassScratch) -> Int {
        let indices = scratch.indices, weights = scratch.weights
        let order = SortedFloats.ascendingOrder(count: kept, scratch: scratch) { logits[Int(indices[$0])] }
        var total: Float = 0
        for rank in 0..<kept { total += weights[Int(order[rank])] }
        var running: Float = 0
        for rank in 0..<max(kept - 1, 0) {
            let place = Int(order[rank])
            running += weights[place] / total
            guard running <= 1 - topP else { break }
            indices[place] = -1
        }
        var left = 0
        for place in 0..<kept {
            let (index, weight) = (indices[place], weights[place])
            indices[left] = index
            weights[left] = weight
            left &+= Int(1 &+ index >> 31)  // 1 unless dropped, without a branch
        }
        return left
    }

    /// Draws one bit from its two logits with a uniform number in (0, 1): 1 iff `uniform < p(1)` after masking.
    ///
    /// The two-class case of ``ClassCandidates/draw(noise:)`` in closed form: with `topP` a bit is deterministic when its
    /// rarer value has probability at most `1 - topP`. `topK` of 1 takes the likelier value.
    public func drawBit(zero: Float, one: Float, uniform: Float) -> Bool {
        let difference = one - zero
        if topK == 1 { return difference > 0 }
        let rarer = 1 / (1 + expf(abs(difference)))
        if topP > 0, rarer <= 1 - topP { return difference > 0 }
        let p = difference > 0 ? 1 - rarer : rarer
        return uniform < p
    }
}
