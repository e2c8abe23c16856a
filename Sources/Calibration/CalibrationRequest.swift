import CalibrationStatistics
import Generation
import ModelFamilies
import VernierCore

/// What to calibrate on, and how.
public struct CalibrationRequest: Sendable {
    /// The corpus; only its first `limit` prompts are run.
    public var corpus: Corpus
    public var limit: Int?
    /// Seed of the pictures' noise: prompt i of the corpus is drawn with `seed + i`.
    public var seed: UInt64
    /// Sampling settings; nil takes the model's own.
    public var settings: SamplingSettings?
    /// Top counts K' of the selectivity statistics, ascending, in tokens.
    public var topCounts: [Int]
    /// Random signs R of the sketches that pooling plans need; 0: no sketches.
    public var signCount: Int
    /// Whether the sketches of every other prompt are kept beside the whole, to judge the groups by; nil: if the sketches
    /// take at most ``Calibrator/halvesBytes``.
    public var keepsHalves: Bool?
    /// For how many of the corpus's first prompts the sensitivity of every layer is measured, at the cost of one more
    /// picture a layer each, and with it what narrower storage formats cost; 0: none.
    public var sensitivityPrompts: Int
    /// Prompts that run together, and after how many prompts the file is saved.
    public var batchSize: Int
    public var saveInterval: Int
    /// The version written into the file.
    public var toolVersion: String

    /// Gathers a request.
    public init(
        corpus: Corpus, limit: Int? = nil, seed: UInt64 = 0, settings: SamplingSettings? = nil,
        topCounts: [Int] = [1, 4, 16, 64], signCount: Int = 32, keepsHalves: Bool? = nil,
        sensitivityPrompts: Int = 2, batchSize: Int = 4,
        saveInterval: Int = 16,
        toolVersion: String
    ) {
        self.corpus = corpus
        self.limit = limit
        self.seed = seed
        self.settings = settings
        self.topCounts = topCounts
        self.signCount = signCount
        self.keepsHalves = keepsHalves
        self.sensitivityPrompts = sensitivityPrompts
        self.batchSize = batchSize
        self.saveInterval = saveInterval
        self.toolVersion = toolVersion
    }
}
