import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TextEncoding
import VernierCore

/// A model directory, loaded: text tokeniser, text encoder, transformer, image decoder. Immutable and shared.
public final class TextToImageModel: Sendable {
    /// The directory and what its `config.json` says.
    public let directory: ModelDirectory
    /// What a profile must have in common with this model.
    public let identity: ModelIdentity
    /// The transformer and what makes pictures of its choices.
    public let network: any NextScaleModel
    private let prompts: PromptEncoder

    /// The scale schedule.
    public var schedule: ScaleSchedule { network.stack.schedule }

    /// The settings that `config.json` recommends.
    public var defaultSettings: SamplingSettings {
        let sampling = directory.configuration.sampling
        return SamplingSettings(
            guidance: sampling.guidance, temperature: sampling.temperature, topK: sampling.topK, topP: sampling.topP)
    }

    /// Loads a model directory (layout: `Sources/Checkpoints/Documentation.docc/ModelDirectory.md`).
    ///
    /// Throws an error that names the file and everything wrong with it: missing files, malformed or truncated weights,
    /// missing or misshapen tensors, NaN or infinite weights, parts that do not fit each other. `schedule` chooses one of
    /// Infinity's official schedules instead of the directory's.
    public init(path: String, schedule: ScheduleChoice = .standard) throws {
        let directory = try ModelDirectory(path: path, schedule: schedule)
        let configuration = directory.configuration, sizes = configuration.transformer
        let shape = InfinityShape(
            depth: sizes.depth, blockChunks: sizes.blockChunks, width: sizes.width, heads: sizes.heads,
            mlpWidth: sizes.mlpWidth, textWidth: sizes.textWidth, textPoolHeads: sizes.textPoolHeads, bits: sizes.bits,
            schedule: configuration.schedule, spatialPatchify: configuration.tokenizer.spatialPatchify,
            tokenizerBaseChannels: configuration.tokenizer.baseChannels,
            tokenizerMultipliers: configuration.tokenizer.channelMultipliers)
        prompts = try PromptEncoder(directory)
        network = InfinityModel(
            transformer: try InfinityTransformer(shape: shape, tensors: directory.openTransformer()),
            decoder: try ImageDecoder(
                kind: .binary, channels: shape.tokenizerBits, baseChannels: shape.tokenizerBaseChannels,
                multipliers: shape.tokenizerMultipliers, tensors: directory.openImageTokenizer()))
        identity = try directory.identity()
        self.directory = directory
    }

    /// Encodes a prompt as the transformer reads it.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for a prompt that is too long for guidance without a negative prompt.
    public func encode(_ prompt: String) throws -> ImageCondition {
        let features = try prompts.encode(prompt)
        let condition = ImageCondition.text(
            TextRows(count: features.rows, width: features.width, values: features.values))
        _ = try network.unconditional(for: condition)
        return condition
    }

    /// The token ids of a prompt, for tests and diagnostics.
    public func tokenIDs(_ prompt: String) throws -> [Int32] { try prompts.tokenizer.encode(prompt) }
}
