import ProfileFormat

/// What a family's model is made of.
public enum ModelArchitecture: Sendable, Hashable {
    /// Text to image, bit by bit.
    case infinity(InfinityConfiguration)
    /// Class to image, one codebook entry a token.
    case `var`(VARConfiguration)

    /// The family's name in `config.json` and in a model's identity.
    public var family: String {
        switch self {
        case .infinity: "infinity"
        case .var: "var"
        }
    }

    /// Transformer blocks.
    public var depth: Int {
        switch self {
        case .infinity(let numbers): numbers.transformer.depth
        case .var(let numbers): numbers.depth
        }
    }

    /// Attention heads.
    public var heads: Int {
        switch self {
        case .infinity(let numbers): numbers.transformer.heads
        case .var(let numbers): numbers.heads
        }
    }

    /// Channels per attention head.
    public var headWidth: Int {
        switch self {
        case .infinity(let numbers): numbers.transformer.headWidth
        case .var(let numbers): numbers.width / numbers.heads
        }
    }

    /// What enters the shape digest: everything that shapes the computation whatever the schedule, the sampling and the
    /// weights' values.
    func digestFields(schedule: ScaleSchedule) -> [(String, [Int])] {
        switch self {
        case .infinity(let numbers):
            let transformer = numbers.transformer, tokenizer = numbers.tokenizer
            let ropeGrid =
                InfinitySchedule(of: schedule) == nil ? transformer.ropeGrid : InfinityAspect.square.referenceGrid
            return [
                ("transformer.depth", [transformer.depth]), ("transformer.width", [transformer.width]),
                ("transformer.heads", [transformer.heads]), ("transformer.mlp_width", [transformer.mlpWidth]),
                ("transformer.text_width", [transformer.textWidth]),
                ("transformer.text_pool_heads", [transformer.textPoolHeads]), ("transformer.bits", [transformer.bits]),
                ("transformer.rope_grid", [ropeGrid.height, ropeGrid.width]),
                ("tokenizer.bits", [tokenizer.bits]), ("tokenizer.base_channels", [tokenizer.baseChannels]),
                ("tokenizer.channel_multipliers", tokenizer.channelMultipliers),
                ("tokenizer.spatial_patchify", [tokenizer.spatialPatchify ? 1 : 0]),
            ]
        case .var(let numbers):
            return [
                ("transformer.depth", [numbers.depth]), ("transformer.width", [numbers.width]),
                ("transformer.heads", [numbers.heads]), ("transformer.mlp_width", [numbers.mlpWidth]),
                ("transformer.classes", [numbers.classes]), ("tokenizer.codebook_size", [numbers.codebookSize]),
                ("tokenizer.code_channels", [numbers.codeChannels]),
                ("tokenizer.base_channels", [numbers.baseChannels]),
                ("tokenizer.channel_multipliers", numbers.channelMultipliers),
            ]
        }
    }
}
