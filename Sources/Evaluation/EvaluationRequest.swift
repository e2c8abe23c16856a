import Generation
import ModelFamilies
import ProfileFormat

/// What to evaluate: profiles against the full cache, on the same prompts and seeds.
public struct EvaluationRequest: Sendable {
    /// A profile under the name that the report gives it.
    public struct Candidate: Sendable {
        /// The name, unique in the request.
        public let name: String
        /// The profile.
        public let profile: Profile

        /// Names a profile.
        public init(name: String, profile: Profile) {
            self.name = name
            self.profile = profile
        }
    }

    /// The profiles, in the order of the report.
    public var candidates: [Candidate]
    /// The prompts; scenes are scored if `vocabulary` is given.
    public var prompts: [CorpusPrompt]
    /// One picture a prompt and seed.
    public var seeds: [UInt64]
    /// Sampling settings; nil takes the model's own.
    public var settings: SamplingSettings?
    /// The words and shapes of scenes; nil for no scene score.
    public var vocabulary: SceneVocabulary?
    /// Pictures drawn together.
    public var batchSize: Int
    /// Pictures of the contact sheet.
    public var sheetColumns: Int
    /// Shows under each profile how its pictures differ from the full cache's, `128 + factor * difference`; nil for no
    /// such rows. From 1 to 255.
    public var differenceAmplification: Int?
    /// The row that others are compared with prompt by prompt; nil for none.
    public var comparedRow: String?
    /// Seed of the intervals' resampling.
    public var bootstrapSeed: UInt64

    /// Gathers a request.
    public init(
        candidates: [Candidate], prompts: [CorpusPrompt], seeds: [UInt64] = [0], settings: SamplingSettings? = nil,
        vocabulary: SceneVocabulary? = nil, batchSize: Int = 4, sheetColumns: Int = 8,
        differenceAmplification: Int? = nil, comparedRow: String? = nil, bootstrapSeed: UInt64 = 0
    ) {
        self.candidates = candidates
        self.prompts = prompts
        self.seeds = seeds
        self.settings = settings
        self.vocabulary = vocabulary
        self.batchSize = batchSize
        self.sheetColumns = sheetColumns
        self.differenceAmplification = differenceAmplification
        self.comparedRow = comparedRow
        self.bootstrapSeed = bootstrapSeed
    }
}
