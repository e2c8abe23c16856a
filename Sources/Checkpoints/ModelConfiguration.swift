import ProfileFormat
import VernierCore

/// What a model directory's `config.json` says; see <doc:ModelDirectory> for the fields.
public struct ModelConfiguration: Sendable, Hashable {
    /// The value of `format`.
    public static let format = "vernier-model"
    /// The one version of the file that this build reads.
    public static let version = 1
    /// The families that this build knows.
    public static let families = ["infinity"]

    /// The family of architectures: `infinity`.
    public let family: String
    /// A name for people; 1 to 200 bytes.
    public let name: String
    /// The transformer's numbers.
    public let transformer: TransformerConfiguration
    /// The token maps and the reference grid of rotary positions.
    public internal(set) var schedule: ScaleSchedule
    /// The image tokeniser's numbers.
    public let tokenizer: ImageTokenizerConfiguration
    /// The most text tokens that are encoded, the end token included.
    public let maximumTextTokens: Int
    /// How the model is sampled unless the caller says otherwise.
    public let sampling: SamplingDefaults

    /// SHA-256 over family, transformer and tokeniser numbers, in hexadecimal: what shapes the computation whatever
    /// the schedule, the sampling and the weights' values. The model's name does not enter. A model of Infinity's official
    /// schedules, which all run on the same weights, enters with the square template's reference grid whichever it has.
    public var shapeDigest: String {
        let transformer = self.transformer
        let tokenizer = self.tokenizer
        let ropeGrid =
            InfinitySchedule(of: schedule) == nil ? transformer.ropeGrid : InfinityAspect.square.referenceGrid
        let fields: [(String, [Int])] = [
            ("transformer.depth", [transformer.depth]), ("transformer.width", [transformer.width]),
            ("transformer.heads", [transformer.heads]), ("transformer.mlp_width", [transformer.mlpWidth]),
            ("transformer.text_width", [transformer.textWidth]),
            ("transformer.text_pool_heads", [transformer.textPoolHeads]), ("transformer.bits", [transformer.bits]),
            ("transformer.rope_grid", [ropeGrid.height, ropeGrid.width]),
            ("tokenizer.bits", [tokenizer.bits]), ("tokenizer.base_channels", [tokenizer.baseChannels]),
            ("tokenizer.channel_multipliers", tokenizer.channelMultipliers),
            ("tokenizer.spatial_patchify", [tokenizer.spatialPatchify ? 1 : 0]),
        ]
        var digest = Digest()
        digest.update(field: "family \(family)")
        for (name, numbers) in fields {
            digest.update(field: "\(name) \(numbers.map(String.init).joined(separator: ","))")
        }
        return digest.finalise()
    }
}
