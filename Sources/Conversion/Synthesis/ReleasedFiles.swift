import Checkpoints

/// How a released model is distributed, beside its sizes (`models.md` sections 2.1 and 6).
struct ReleasedFiles {
    /// The transformer's file; a name without an ending is a folder of safetensors.
    let transformer: String
    /// The image tokeniser's file.
    let imageTokenizer: String
    /// Whether VAR's blocks share one AdaLN layer.
    let sharesModulation: Bool

    /// The folder of the text encoder.
    static let textEncoder = "flan-t5-xl"
    /// The largest shards of the text encoder and of the 8B transformer, in bytes.
    static let textEncoderShardBytes = 9_500_000_000
    static let transformerShardBytes = 8_900_000_000
    /// What the tokeniser's weights are the member of, in Infinity's files.
    static let tokenizerKey = "vae"

    init(of release: ModelRelease) {
        switch release.configuration.architecture {
        case .var(let numbers):
            transformer = "var_d\(numbers.depth).pth"
            imageTokenizer = "vae_ch160v4096z32.pth"
            sharesModulation = numbers.depth == 36
        case .infinity(let numbers):
            sharesModulation = true
            switch numbers.tokenizer.bits {
            case 16: (transformer, imageTokenizer) = ("infinity_125M_256x256.pth", "infinity_vae_d16.pth")
            case 32: (transformer, imageTokenizer) = ("infinity_2b_reg.pth", "infinity_vae_d32reg.pth")
            default: (transformer, imageTokenizer) = ("infinity_8b_weights", "infinity_vae_d56_f8_14_patchify.pth")
            }
        }
    }

    /// Whether the transformer comes as a torch file.
    var isTransformerTorch: Bool { transformer.hasSuffix(".pth") }
}
