import Evaluation
import Generation
import ModelFamilies
import ProfileFormat
import Refinement

/// What a frontier compares: methods x budgets x storage formats, on the same prompts and seeds.
public struct FrontierRequest: Sendable {
    /// The methods in the order of the report.
    public var methods: [FrontierMethod]
    /// The budgets in the order of the report.
    public var budgets: [BudgetRequest]
    /// The storage formats; a method's variants are compared in the first.
    public var storages: [CellStorage]
    /// The methods that are measured in all formats, others in the first only; nil for all.
    public var narrowMethods: Set<String>?
    /// The held-out prompts; scenes are scored if `vocabulary` is given.
    public var prompts: [CorpusPrompt]
    /// SHA-256 of the prompts' file.
    public var corpusDigest: String
    /// One picture a prompt and seed.
    public var seeds: [UInt64]
    /// Sampling settings; nil takes the model's own.
    public var settings: SamplingSettings?
    /// The words and shapes of scenes; nil for no scene score.
    public var vocabulary: SceneVocabulary?
    /// Pictures drawn together; does not change the numbers.
    public var batchSize: Int
    /// The forced-decoding divergence is measured on the first so many prompts; nil for all.
    public var divergencePrompts: Int?
    /// A method's variants are compared on the first so many prompts, and only the best is measured on all; nil for all.
    public var variantPrompts: Int?
    /// What refined plans are fitted to; nil leaves such methods out.
    public var refinement: RefinementRequest?
    /// The method that others are compared with prompt by prompt.
    public var comparedMethod: String?
    /// Seed of the intervals' resampling.
    public var bootstrapSeed: UInt64
    /// The version of Vernier that compiles and measures.
    public var toolVersion: String
    /// The most bytes of full-cache logits held for reuse; beyond it they are drawn anew for each batch.
    public var maximumLogitBytes: Int

    /// Gathers a request.
    public init(
        methods: [FrontierMethod], budgets: [BudgetRequest], storages: [CellStorage] = [.float32],
        narrowMethods: Set<String>? = nil,
        prompts: [CorpusPrompt], corpusDigest: String, seeds: [UInt64] = [0, 1], settings: SamplingSettings? = nil,
        vocabulary: SceneVocabulary? = nil, batchSize: Int = 8, divergencePrompts: Int? = nil,
        variantPrompts: Int? = nil, refinement: RefinementRequest? = nil,
        comparedMethod: String? = nil, bootstrapSeed: UInt64 = 0, toolVersion: String,
        maximumLogitBytes: Int = 1 << 31
    ) {
        self.methods = methods
        self.budgets = budgets
        self.storages = storages
        self.narrowMethods = narrowMethods
        self.prompts = prompts
        self.corpusDigest = corpusDigest
        self.seeds = seeds
        self.settings = settings
        self.vocabulary = vocabulary
        self.batchSize = batchSize
        self.divergencePrompts = divergencePrompts
        self.variantPrompts = variantPrompts
        self.refinement = refinement
        self.comparedMethod = comparedMethod
        self.bootstrapSeed = bootstrapSeed
        self.toolVersion = toolVersion
        self.maximumLogitBytes = maximumLogitBytes
    }
}
