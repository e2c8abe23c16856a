import Generation

/// What the full cache drew for one batch of jobs: what every candidate is measured against.
package struct ReferenceBatch: Sendable {
    /// The jobs, as places in ``EvaluationBench/jobs``.
    package let jobs: Range<Int>
    /// Pictures and choices, one a job.
    package let images: [GeneratedImage]
    /// The full cache's own records (scene and time), one a job.
    package let records: [PictureRecord]
    /// Guided logits over temperature, `[scale][B, n_k, logits]`; nil if they were given up for memory.
    package internal(set) var logits: [[Float]]?

    /// Bytes of the logits.
    package var logitBytes: Int { (logits ?? []).reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride } }

    /// Gives the logits up; ``EvaluationBench/measure(_:against:divergencePrompts:)`` then draws them again.
    package mutating func dropLogits() { logits = nil }
}
