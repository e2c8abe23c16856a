import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels
import TextEncoding
import VernierCore

/// A model directory, loaded: transformer, image decoder, and for a text-to-image model the text encoder. Immutable and
/// shared.
public final class ImageModel: Sendable {
    /// The directory and what its `config.json` says.
    public let directory: ModelDirectory
    /// What a profile must have in common with this model.
    public let identity: ModelIdentity
    /// The transformer and what makes pictures of its choices.
    public let network: any NextScaleModel
    private let prompts: PromptEncoder?  // nil: class-conditional

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
    /// missing or misshapen tensors, NaN or infinite weights, parts that do not fit each other; and as
    /// ``TensorKernels/KernelEnvironment/requireKnown()`` does. `schedule` chooses one of
    /// Infinity's official schedules instead of the directory's.
    public init(path: String, schedule choice: ScheduleChoice = .standard) throws {
        try KernelEnvironment.requireKnown()
        let directory = try ModelDirectory(path: path, schedule: choice)
        let schedule = directory.configuration.schedule
        switch directory.configuration.architecture {
        case .infinity(let numbers):
            prompts = try PromptEncoder(directory)
            network = try InfinityModel(
                numbers, schedule: schedule, transformer: directory.openTransformer(),
                tokenizer: directory.openImageTokenizer())
        case .var(let numbers):
            prompts = nil
            network = try VARModel(
                numbers, schedule: schedule, transformer: directory.openTransformer(),
                tokenizer: directory.openImageTokenizer())
        }
        identity = try directory.identity()
        self.directory = directory
    }

    /// The picture that a prompt of a corpus asks for, its texts encoded.
    ///
    /// Throws as ``encode(_:)`` and ``requireKnown(_:)`` do, and ``VernierError/Code/invalidArgument`` for a text that is
    /// too long for guidance without a negative prompt.
    public func request(for prompt: CorpusPrompt, seed: UInt64) throws -> ImageRequest {
        try requireKnown([prompt])
        switch prompt.subject {
        case .text(let text):
            var clock = StageClock()
            let condition = try encode(text), negative = try prompt.negative.map(encode)
            let seconds = clock.lap()
            if negative == nil { _ = try network.unconditional(for: condition) }
            return ImageRequest(
                condition: condition, negative: negative, seed: seed, encodingSeconds: seconds)
        case .imageClass(let index): return ImageRequest(condition: .imageClass(index), seed: seed)
        }
    }

    /// Encodes a text as the transformer reads it.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for any text if the model draws classes.
    public func encode(_ prompt: String) throws -> ImageCondition {
        guard let prompts else {
            throw directory.configuration.wrongKind(at: "prompt", found: "the text \(JSONValue.quoted(prompt))")
        }
        let features = try prompts.encode(prompt)
        return .text(TextRows(count: features.rows, width: features.width, values: features.values))
    }

    /// Checks, before any work, that the model can draw what prompts ask for; throws as
    /// ``ModelConfiguration/requireKnown(_:)`` does.
    public func requireKnown(_ prompts: some Sequence<CorpusPrompt>) throws {
        try directory.configuration.requireKnown(prompts)
    }

    /// The token ids of a text, for tests and diagnostics; none if the model draws classes.
    public func tokenIDs(_ prompt: String) throws -> [Int32] { try prompts?.tokenizer.encode(prompt) ?? [] }
}
