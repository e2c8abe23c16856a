import Checkpoints
import TensorKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The weights of one transformer block, packed for use (`models.md` sections 2.5 and 3.5).
struct TransformerBlock: Sendable {
    let modulation: BlockModulation
    let queryFactors: [Float]?  // exp(min(scale_mul, ln 100)) per head; nil without l2 normalisation
    let qkv: LinearLayer  // [3C, C], bias [q_bias, 0, v_bias]
    let queryBias: [Float]  // q_bias [C], to take it off again for a rule that scores raw queries
    let attentionProjection: LinearLayer  // W_o^h is columns h*D ..< (h+1)*D of its weight
    let crossAttention: CrossAttention?
    let mlpIn: LinearLayer
    let mlpOut: LinearLayer

    init(_ tensors: any TensorSource, prefix p: String, layout: StackLayout) throws {
        let c = layout.width, f = layout.mlpWidth, a = p + layout.attentionKey
        modulation =
            layout.sharesModulation
            ? .shared(offset: try tensors.float32(p + "ada_gss"))
            : .own(try LinearLayer(tensors, p + "ada_lin.1", 6 * c, c))
        queryFactors =
            layout.normalisesQueries
            ? try tensors.float32(a + ".scale_mul_1H11").map { expf(min($0, logf(100))) } : nil
        queryBias = try tensors.float32(a + ".q_bias")
        qkv = try LinearLayer(
            tensors, a + ".mat_qkv", 3 * c, c,
            bias: queryBias + [Float](repeating: 0, count: c) + tensors.float32(a + ".v_bias"))
        attentionProjection = try LinearLayer(tensors, a + ".proj", c, c)
        crossAttention = layout.hasCrossAttention ? try CrossAttention(tensors, prefix: p, width: c) : nil
        mlpIn = try LinearLayer(tensors, p + "ffn.fc1", f, c)
        mlpOut = try LinearLayer(tensors, p + "ffn.fc2", c, f)
    }
}
