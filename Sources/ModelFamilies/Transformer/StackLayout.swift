import Checkpoints
import ProfileFormat

/// What a family's transformer has, and the keys it is stored under (`models.md` sections 2.2 and 3.3).
///
/// Legend: C width, H heads, F hidden width of the MLP, K scales, T tokens of all scales.
struct StackLayout: Sendable {
    let schedule: ScaleSchedule
    /// C, H and F.
    let width: Int
    let heads: Int
    let mlpWidth: Int
    /// Channels of a token's input, and logits of a token.
    let inputs: Int
    let outputs: Int
    /// Rows of the level embedding; at least K.
    let levels: Int
    /// Keys of each block, up to and with the dot.
    let blockPrefixes: [String]
    /// The part of a block's keys that says self-attention: `sa` or `attn`.
    let attentionKey: String
    /// Learned positions `pos_1LC` of all tokens.
    var hasTokenPositions = false
    /// Rotary positions in self-attention.
    var hasRotaryPositions = false
    /// Queries and keys of unit length, queries times a factor a head.
    var normalisesQueries = true
    /// AdaLN vectors from one layer for all blocks, to which each block adds an offset; else each block has its layer.
    var sharesModulation = true
    /// Attention to a text between self-attention and MLP.
    var hasCrossAttention = false

    /// The tensors of the stack.
    func addRequirements(_ requirements: inout TensorRequirements) {
        let c = width
        var shapes = [
            ("pos_start", [1, 1, c]), ("lvl_embed.weight", [levels, c]), ("word_embed.weight", [c, inputs]),
            ("word_embed.bias", [c]), ("head_nm.ada_lin.1.weight", [2 * c, c]), ("head_nm.ada_lin.1.bias", [2 * c]),
            ("head.weight", [outputs, c]), ("head.bias", [outputs]),
        ]
        if hasTokenPositions { shapes.append(("pos_1LC", [1, schedule.totalTokens, c])) }
        if sharesModulation {
            shapes += [("shared_ada_lin.1.weight", [6 * c, c]), ("shared_ada_lin.1.bias", [6 * c])]
        }
        for prefix in blockPrefixes { shapes += blockShapes.map { (prefix + $0, $1) } }
        for (name, dimensions) in shapes { requirements.add(name, shape: dimensions) }
    }

    private var blockShapes: [(String, [Int])] {
        let c = width, f = mlpWidth, a = attentionKey
        var shapes = [
            ("\(a).mat_qkv.weight", [3 * c, c]), ("\(a).q_bias", [c]), ("\(a).v_bias", [c]),
            ("\(a).proj.weight", [c, c]), ("\(a).proj.bias", [c]), ("ffn.fc1.weight", [f, c]), ("ffn.fc1.bias", [f]),
            ("ffn.fc2.weight", [c, f]), ("ffn.fc2.bias", [c]),
        ]
        if normalisesQueries { shapes.append(("\(a).scale_mul_1H11", [1, heads, 1, 1])) }
        if sharesModulation {
            shapes.append(("ada_gss", [1, 1, 6, c]))
        } else {
            shapes += [("ada_lin.1.weight", [6 * c, c]), ("ada_lin.1.bias", [6 * c])]
        }
        if hasCrossAttention {
            shapes += [
                ("ca_norm.weight", [c]), ("ca_norm.bias", [c]), ("ca.mat_q.weight", [c, c]), ("ca.mat_q.bias", [c]),
                ("ca.mat_kv.weight", [2 * c, c]), ("ca.v_bias", [c]), ("ca.proj.weight", [c, c]),
                ("ca.proj.bias", [c]),
            ]
        }
        return shapes
    }
}
