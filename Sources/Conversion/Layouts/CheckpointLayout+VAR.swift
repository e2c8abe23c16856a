import Checkpoints
import ProfileFormat

extension CheckpointLayout {
    /// A VAR transformer's file; `sharesModulation` for the models whose blocks share one AdaLN layer (d36), and
    /// `normalisesQueries` for all but the first uploads.
    public static func varTransformer(
        _ shape: VARConfiguration, schedule: ScaleSchedule, sharesModulation: Bool, normalisesQueries: Bool = true
    ) -> CheckpointLayout {
        var layout = CheckpointLayout()
        let c = shape.width, scales = 0..<schedule.scaleCount
        let scaleOfToken = scales.flatMap { Array(repeating: $0, count: schedule.tokenCount($0)) }
        let tokens = scaleOfToken.count
        layout.add("pos_start", [1, 1, c], .spread(0.5))
        layout.add("pos_1LC", [1, tokens, c], .spread(0.5))
        layout.addBuffer("lvl_1L", [1, tokens], .scaleIndices(scaleOfToken), isInteger: true)
        layout.addBuffer("attn_bias_for_masking", [1, 1, tokens, tokens], .mask(scaleOfToken))
        layout.addLinear("word_embed", c, shape.codeChannels)
        layout.add("class_emb.weight", [shape.classes + 1, c], .spread(1))
        layout.add("lvl_embed.weight", [schedule.scaleCount, c], .spread(0.5))
        if sharesModulation { layout.addLinear("shared_ada_lin.1", 6 * c, c, gain: modulationGain) }
        for block in 0..<shape.depth {
            let p = "blocks.\(block)"
            if sharesModulation {
                layout.add("\(p).ada_gss", [1, 1, 6, c], .spread(modulationGain))
            } else {
                layout.addLinear("\(p).ada_lin.1", 6 * c, c, gain: modulationGain)
            }
            if normalisesQueries {
                layout.add("\(p).attn.scale_mul_1H11", [1, shape.heads, 1, 1], attentionScale)
            }
            layout.addBias("\(p).attn.q_bias", c)
            layout.addBias("\(p).attn.v_bias", c)
            layout.addBuffer("\(p).attn.zero_k_bias", [c])
            layout.add("\(p).attn.mat_qkv.weight", [3 * c, c], .weights(inputs: c))
            layout.addLinear("\(p).attn.proj", c, c)
            layout.addLinear("\(p).ffn.fc1", shape.mlpWidth, c)
            layout.addLinear("\(p).ffn.fc2", c, shape.mlpWidth)
        }
        layout.addLinear("head_nm.ada_lin.1", 2 * c, c, gain: modulationGain)
        layout.addLinear("head", shape.codebookSize, c)
        return layout
    }

    /// Gates, scales and shifts of this size let a block change its input by about a third: depth adds up, it does not
    /// multiply.
    static let modulationGain: Float = 0.3
    /// The logarithm of the attention's sharpness, as official models start.
    static let attentionScale = TensorDeclaration.Fill.spread(0.2, about: 1.386_294_4)
}
