import Generation
import ModelFamilies
import ProfileFormat

/// What a ranking draws and measures: random profiles at one budget, and as many at random budgets.
public struct RankRequest: Sendable {
    /// The profiles of each of the two sets.
    public var count: Int
    /// The budget that the profiles of the first set share.
    public var share: Double
    /// The kept shares from which the second set's budgets are drawn, evenly by their logarithm.
    public var shares: ClosedRange<Double>
    /// How far layers' weights are drawn apart: by up to `2^octaves` either way.
    public var octaves: Double
    /// Seed of weights and budgets.
    public var seed: UInt64
    /// The held-out prompts.
    public var prompts: [CorpusPrompt]
    /// SHA-256 of the prompts' file.
    public var corpusDigest: String
    /// One picture a prompt and seed.
    public var pictureSeeds: [UInt64]
    /// Sampling settings; nil takes the model's own.
    public var settings: SamplingSettings?
    /// Pictures drawn together; does not change the numbers.
    public var batchSize: Int
    /// The version of Vernier that compiles and measures.
    public var toolVersion: String

    /// Gathers a request.
    public init(
        count: Int = 24, share: Double = 0.1, shares: ClosedRange<Double> = 0.03...0.3, octaves: Double = 3,
        seed: UInt64 = 0, prompts: [CorpusPrompt], corpusDigest: String, pictureSeeds: [UInt64] = [0],
        settings: SamplingSettings? = nil, batchSize: Int = 8, toolVersion: String
    ) {
        self.count = count
        self.share = share
        self.shares = shares
        self.octaves = octaves
        self.seed = seed
        self.prompts = prompts
        self.corpusDigest = corpusDigest
        self.pictureSeeds = pictureSeeds
        self.settings = settings
        self.batchSize = batchSize
        self.toolVersion = toolVersion
    }
}
