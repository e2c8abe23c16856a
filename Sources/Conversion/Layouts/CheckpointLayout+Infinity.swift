import Checkpoints

extension CheckpointLayout {
    /// An Infinity transformer's file; `unconditionalRows` of learned empty text.
    public static func infinityTransformer(
        _ shape: TransformerConfiguration, unconditionalRows: Int = 512
    ) -> CheckpointLayout {
        var layout = CheckpointLayout()
        let c = shape.width, text = shape.textWidth
        layout.add("cfg_uncond", [unconditionalRows, text], .spread(0.1))
        layout.add("text_norm.weight", [text], .spread(0.1, about: 1))
        let pool = "text_proj_for_sos.ca"
        layout.add("\(pool).mat_q", [1, shape.textPoolHeads, c / shape.textPoolHeads], .spread(1))
        layout.add("\(pool).mat_kv.weight", [2 * c, text], .weights(inputs: text))
        layout.addBias("\(pool).v_bias", c)
        layout.addBuffer("\(pool).zero_k_bias", [c])
        layout.addLinear("\(pool).proj", c, c)
        layout.addLinear("text_proj_for_ca.0", c, text)
        layout.addLinear("text_proj_for_ca.2", c, c)
        layout.add("pos_start", [1, 1, c], .spread(0.5))
        layout.add("lvl_embed.weight", [infinityLevels, c], .spread(0.5))
        layout.addLinear("word_embed", c, shape.bits)
        layout.addLinear("shared_ada_lin.1", 6 * c, c, gain: modulationGain)
        let each = shape.blocksPerChunk
        for block in 0..<shape.depth {
            layout.addInfinityBlock("block_chunks.\(block / each).module.\(block % each)", shape)
        }
        layout.addLinear("head_nm.ada_lin.1", 2 * c, c, gain: modulationGain)
        layout.addLinear("head", 2 * shape.bits, c)
        return layout
    }

    /// Rows of the level embedding, used or not.
    private static let infinityLevels = 15

    private mutating func addInfinityBlock(_ p: String, _ shape: TransformerConfiguration) {
        let c = shape.width
        add("\(p).ada_gss", [1, 1, 6, c], .spread(Self.modulationGain))
        add("\(p).sa.scale_mul_1H11", [1, shape.heads, 1, 1], Self.attentionScale)
        add("\(p).sa.mat_qkv.weight", [3 * c, c], .weights(inputs: c))
        addBias("\(p).sa.q_bias", c)
        addBias("\(p).sa.v_bias", c)
        addBuffer("\(p).sa.zero_k_bias", [c])
        addLinear("\(p).sa.proj", c, c)
        add("\(p).ca_norm.weight", [c], .spread(0.1, about: 1))
        addBias("\(p).ca_norm.bias", c)
        addLinear("\(p).ca.mat_q", c, c)
        add("\(p).ca.mat_kv.weight", [2 * c, c], .weights(inputs: c))
        addBias("\(p).ca.v_bias", c)
        addBuffer("\(p).ca.zero_k_bias", [c])
        // No gate stands before this sum.
        addLinear("\(p).ca.proj", c, c, gain: Self.modulationGain)
        addLinear("\(p).ffn.fc1", shape.mlpWidth, c)
        addLinear("\(p).ffn.fc2", c, shape.mlpWidth)
    }
}
