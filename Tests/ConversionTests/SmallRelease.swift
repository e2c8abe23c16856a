import Checkpoints
import ProfileFormat
import TestSupport

@testable import Conversion

/// Models of a release's kind, small enough to be written in milliseconds.
enum SmallRelease {
    /// Infinity with 16 bits a token, at the square schedule of 7 scales.
    static let infinity = ModelRelease(
        name: "small-infinity",
        configuration: ModelConfiguration(
            name: "small-infinity",
            architecture: .infinity(
                InfinityConfiguration(
                    transformer: TransformerConfiguration(
                        depth: 4, blockChunks: 2, width: 32, heads: 2, mlpWidth: 64, textWidth: 32, textPoolHeads: 2,
                        bits: 16, ropeGrid: InfinityAspect.square.referenceGrid),
                    tokenizer: ImageTokenizerConfiguration(
                        bits: 16, baseChannels: 32, channelMultipliers: [1, 2], spatialPatchify: false),
                    maximumTextTokens: 512)), schedule: InfinitySchedule(resolution: .smallest).schedule,
            sampling: SamplingDefaults(guidance: 3, temperature: 1, topK: 900, topP: 0.97)))

    /// Infinity with patches: 14 bits a code, 56 a token.
    static let patched = ModelRelease(
        name: "small-patched",
        configuration: ModelConfiguration(
            name: "small-patched",
            architecture: .infinity(
                InfinityConfiguration(
                    transformer: TransformerConfiguration(
                        depth: 2, blockChunks: 1, width: 32, heads: 4, mlpWidth: 64, textWidth: 32, textPoolHeads: 2,
                        bits: 56, ropeGrid: InfinityAspect.square.referenceGrid),
                    tokenizer: ImageTokenizerConfiguration(
                        bits: 14, baseChannels: 32, channelMultipliers: [1, 3], spatialPatchify: true),
                    maximumTextTokens: 512)), schedule: InfinitySchedule(resolution: .smallest).schedule,
            sampling: SamplingDefaults(guidance: 3, temperature: 1, topK: 900, topP: 0.97)))

    /// VAR at the schedule of 256 pixels.
    static let classes = ModelRelease(
        name: "small-var",
        configuration: ModelConfiguration(
            name: "small-var",
            architecture: .var(
                VARConfiguration(
                    depth: 3, width: 32, heads: 2, mlpWidth: 64, classes: 5, codebookSize: 40, codeChannels: 32,
                    baseChannels: 32, channelMultipliers: [1, 2])), schedule: VARSchedule.small.schedule,
            sampling: SamplingDefaults(guidance: 4, temperature: 1, topK: 900, topP: 0.95)))

    static let all = [infinity, patched, classes]

    /// A checkpoint of a small model, with one layer of text encoder where there is one.
    static func checkpoint(_ release: ModelRelease, seed: UInt64 = 3, floatType: ElementType = .bf16) throws
        -> SyntheticCheckpoint
    {
        let drawsClasses = release.name == classes.name
        return try SyntheticCheckpoint(
            of: release, seed: seed, floatType: floatType, textLayers: drawsClasses ? nil : 1,
            pieces: drawsClasses ? nil : Golden.path("tok-a.spiece.model"))
    }
}
