import Generation
import ModelFamilies

/// What to fit a plan's numbers to, and how.
public struct RefinementRequest: Sendable {
    /// The corpus; its first `promptCount` prompts are run with the full cache.
    public var corpus: Corpus
    public var promptCount: Int
    /// Seed of the pictures' noise: prompt i of the corpus is drawn with `seed + i`, as in calibration.
    public var seed: UInt64
    /// Sampling settings; nil takes the model's own.
    public var settings: SamplingSettings?
    /// Prompts that run together.
    public var batchSize: Int
    /// Bytes that recorded queries, keys and values may take; the corpus is run once for as many layers as fit.
    public var recordingBytes: Int

    /// Gathers a request.
    public init(
        corpus: Corpus, promptCount: Int, seed: UInt64 = 0, settings: SamplingSettings? = nil, batchSize: Int = 8,
        recordingBytes: Int = 4 << 30
    ) {
        self.corpus = corpus
        self.promptCount = promptCount
        self.seed = seed
        self.settings = settings
        self.batchSize = batchSize
        self.recordingBytes = recordingBytes
    }
}
