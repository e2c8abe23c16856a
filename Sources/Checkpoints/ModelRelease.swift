import ProfileFormat
import VernierCore

/// A released checkpoint: its sizes, without weights (`models.md` sections 2.1, 2.7, 3.1 and 3.8).
public struct ModelRelease: Sendable, Hashable {
    /// The name in commands, for example `infinity-2b`.
    public let name: String
    /// What a model directory of it says, at the resolution it was released for.
    public let configuration: ModelConfiguration

    /// Every release, Infinity's and then VAR's, from smallest to largest.
    public static let all = [
        ModelRelease(
            "infinity-125m", depth: 12, chunks: 4, width: 768, heads: 8, bits: 16, tokenizer: tokenizer(bits: 16),
            resolution: .smallest, temperature: 0.5),
        ModelRelease(
            "infinity-2b", depth: 32, chunks: 8, width: 2048, heads: 16, bits: 32, tokenizer: tokenizer(bits: 32),
            resolution: .full, temperature: 0.5),
        ModelRelease(
            "infinity-8b", depth: 40, chunks: 8, width: 3584, heads: 28, bits: 56,
            tokenizer: ImageTokenizerConfiguration(
                bits: 14, baseChannels: 128, channelMultipliers: [1, 2, 4, 4], spatialPatchify: true),
            resolution: .full, temperature: 1),
        ModelRelease("var-d16", depth: 16, .small), ModelRelease("var-d20", depth: 20, .small),
        ModelRelease("var-d24", depth: 24, .small), ModelRelease("var-d30", depth: 30, .small),
        ModelRelease("var-d36", depth: 36, .large),
    ]

    /// The release called `name`. Throws ``VernierError/Code/invalidArgument`` with all names.
    public init(named name: String) throws {
        guard let release = Self.all.first(where: { $0.name == name }) else {
            throw VernierError(
                .invalidArgument, at: "model", expected: "one of \(Self.all.map(\.name).joined(separator: ", "))",
                found: JSONValue.quoted(name))
        }
        self = release
    }

    /// A model of other sizes in a release's place, for tests.
    package init(name: String, configuration: ModelConfiguration) {
        self.name = name
        self.configuration = configuration
    }

    private init(
        _ name: String, depth: Int, chunks: Int, width: Int, heads: Int, bits: Int,
        tokenizer: ImageTokenizerConfiguration, resolution: InfinityResolution, temperature: Float
    ) {
        self.name = name
        configuration = ModelConfiguration(
            name: name,
            architecture: .infinity(
                InfinityConfiguration(
                    transformer: TransformerConfiguration(
                        depth: depth, blockChunks: chunks, width: width, heads: heads, mlpWidth: 4 * width,
                        textWidth: 2048, textPoolHeads: 16, bits: bits, ropeGrid: InfinityAspect.square.referenceGrid),
                    tokenizer: tokenizer, maximumTextTokens: 512)),
            schedule: InfinitySchedule(resolution: resolution).schedule,
            sampling: SamplingDefaults(guidance: 3, temperature: temperature, topK: 900, topP: 0.97))
    }

    /// A VAR model: 64 channels a head, one head a layer.
    private init(_ name: String, depth: Int, _ schedule: VARSchedule) {
        self.name = name
        configuration = ModelConfiguration(
            name: name,
            architecture: .var(
                VARConfiguration(
                    depth: depth, width: 64 * depth, heads: depth, mlpWidth: 256 * depth, classes: 1000,
                    codebookSize: 4096, codeChannels: 32, baseChannels: 160, channelMultipliers: [1, 1, 2, 2, 4])),
            schedule: schedule.schedule, sampling: SamplingDefaults(guidance: 4, temperature: 1, topK: 900, topP: 0.95))
    }

    /// The f16 tokenisers.
    private static func tokenizer(bits: Int) -> ImageTokenizerConfiguration {
        ImageTokenizerConfiguration(
            bits: bits, baseChannels: 128, channelMultipliers: [1, 2, 4, 4, 4], spatialPatchify: false)
    }
}

extension ModelConfiguration {
    /// What a profile must have in common with every model of these sizes, whatever its weights.
    ///
    /// `branches` is 2 with classifier-free guidance, else 1.
    public func architectureIdentity(branches: Int = 2) throws -> ModelIdentity {
        try ModelIdentity(
            family: family, name: name, branches: branches, layers: architecture.depth, heads: architecture.heads,
            headWidth: architecture.headWidth, shapeDigest: shapeDigest, weightsDigest: nil)
    }
}
