import Checkpoints
import ModelFamilies
import ProfileFormat
import TextEncoding

/// What one picture of a model costs in bytes of cache and in operations, from the model's numbers alone (`models.md`
/// section 5). No weights are opened.
public struct PicturePlan: Sendable, Hashable {
    /// The model's sizes; its weights count as unknown.
    public let model: ModelIdentity
    /// The token maps.
    public let schedule: ScaleSchedule
    /// Pixels of the picture.
    public let height: Int
    public let width: Int
    /// Tokens of the prompt, end token included; 0 if the model draws classes.
    public let textTokens: Int
    /// Operations of the transformer for one sequence.
    public let transformer: TransformerWork
    /// Operations of the image decoder.
    public let decoder: DecoderWork
    /// Operations of the text encoder, once a prompt; nil without one.
    public let textEncoder: Double?

    /// Works out what a picture of a model costs.
    ///
    /// - Parameters:
    ///   - branches: sequences per picture, 2 with guidance.
    ///   - textEncoder: the text encoder's numbers; nil leaves it out.
    public init(
        _ configuration: ModelConfiguration, branches: Int = 2, textEncoder: T5Configuration? = nil, textTokens: Int
    ) throws {
        model = try configuration.architectureIdentity(branches: branches)
        schedule = configuration.schedule
        let last = schedule.grids[schedule.scaleCount - 1]
        switch configuration.architecture {
        case .infinity(let numbers):
            let sizes = numbers.transformer, tokenizer = numbers.tokenizer
            let codes = tokenizer.spatialPatchify ? 2 : 1
            height = last.height * tokenizer.pixelsPerToken
            width = last.width * tokenizer.pixelsPerToken
            self.textTokens = textTokens
            transformer = .infinity(
                depth: sizes.depth, width: sizes.width, mlpWidth: sizes.mlpWidth, bits: sizes.bits, schedule: schedule,
                textTokens: textTokens)
            decoder = DecoderWork(
                codeChannels: tokenizer.bits, baseChannels: tokenizer.baseChannels,
                multipliers: tokenizer.channelMultipliers, height: last.height * codes, width: last.width * codes)
        case .var(let numbers):
            height = last.height * numbers.pixelsPerToken
            width = last.width * numbers.pixelsPerToken
            self.textTokens = 0
            transformer = .classConditional(
                depth: numbers.depth, width: numbers.width, mlpWidth: numbers.mlpWidth,
                codebookSize: numbers.codebookSize, codeChannels: numbers.codeChannels, schedule: schedule)
            decoder = DecoderWork(
                codeChannels: numbers.codeChannels, baseChannels: numbers.baseChannels,
                multipliers: numbers.channelMultipliers, height: last.height, width: last.width, hasAttention: true)
        }
        self.textEncoder = textEncoder?.work(tokens: textTokens)
    }

    /// A cache as the official code keeps it, the last scale too.
    public var releasedCache: FullCache { .asReleased(model: model, schedule: schedule) }
    /// A cache of all that is ever read again.
    public var fullCache: FullCache { .withoutLastScale(model: model, schedule: schedule) }
    /// Operations of the transformer for all sequences.
    public var transformerTotal: Double { transformer.total * Double(model.branches) }
    /// All operations.
    public var total: Double { transformerTotal + decoder.total + (textEncoder ?? 0) }
}
