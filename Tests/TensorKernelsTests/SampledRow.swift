import TensorKernels

/// What a sampler leaves of one row of logits, spread over all classes.
struct SampledRow {
    private let memory: FloatBuffer
    private let classes: Int
    private let candidates: ClassCandidates

    init(_ sampler: ClassSampler, _ logits: [Float]) {
        classes = logits.count
        let scratch = ClassScratch.count(classes: classes)
        // The logits behind the scratch: candidates look at them again.
        memory = FloatBuffer(count: scratch + classes)
        let copy = memory.pointer + scratch
        copy.update(from: logits, count: classes)
        candidates = sampler.candidates(
            of: copy, count: classes, scratch: ClassScratch(block: memory.pointer, classes: classes))
    }

    /// The classes left, ascending.
    var indices: UnsafeBufferPointer<Int32> { candidates.indices }
    /// 1 for every class that was dropped.
    var mask: [UInt8] {
        var mask = [UInt8](repeating: 1, count: classes)
        for index in indices { mask[Int(index)] = 0 }
        return mask
    }
    /// The probabilities of all classes.
    var everyProbability: [Float] {
        var all = [Float](repeating: 0, count: classes)
        for (index, p) in zip(indices, candidates.probabilities) { all[Int(index)] = p }
        return all
    }

    func draw(noise: [Float]) -> Int { candidates.draw(noise: noise) }

    func mixture(noise: [Float], ratio: Float, temperature: Float) -> [Float] {
        var weights = [Float](repeating: .nan, count: classes)
        candidates.mix(noise: noise, ratio: ratio, temperature: temperature, into: &weights, classes: classes)
        return weights
    }
}
