import Evaluation

/// The full cache's pictures, choices and, while they fit, logits of every batch, drawn once and kept for all
/// candidates.
final class ReferenceShelf {
    private let bench: EvaluationBench
    private let maximumLogitBytes: Int
    private var batches: [Int: ReferenceBatch] = [:]
    private var logitBytes = 0

    init(bench: EvaluationBench, maximumLogitBytes: Int) {
        self.bench = bench
        self.maximumLogitBytes = maximumLogitBytes
    }

    /// Whether a batch has been drawn.
    func has(_ batch: Range<Int>) -> Bool { batches[batch.lowerBound] != nil }

    /// The reference of a batch, drawn if it is new. Logits are kept only if `needsLogits`.
    func reference(_ batch: Range<Int>, needsLogits: Bool) throws -> ReferenceBatch {
        if let kept = batches[batch.lowerBound] { return kept }
        var drawn = try bench.reference(batch)
        if !needsLogits || logitBytes + drawn.logitBytes > maximumLogitBytes { drawn.dropLogits() }
        logitBytes += drawn.logitBytes
        batches[batch.lowerBound] = drawn
        return drawn
    }
}
