import Checkpoints
import TensorKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The weights of one transformer block, packed for use (`models.md` section 3.3).
struct InfinityBlock: Sendable {
    let adaOffset: [Float]  // ada_gss [6C]
    let queryScale: [Float]  // exp(min(scale_mul, ln 100)) per head
    let qkv: LinearLayer  // [3C, C], bias [q_bias, 0, v_bias]
    let queryBias: [Float]  // q_bias [C], to take it off again for a rule that scores raw queries
    let attentionProjection: LinearLayer
    let crossNormWeight: [Float]
    let crossNormBias: [Float]
    let crossQuery: LinearLayer
    let crossKeyValue: LinearLayer  // [2C, C], bias [0, v_bias]
    let crossProjection: LinearLayer
    let mlpIn: LinearLayer
    let mlpOut: LinearLayer
    let attentionProjectionWeight: [Float]  // [C, C] as stored, for calibration: W_o^h is columns h*D ..< (h+1)*D

    static func addRequirements(_ requirements: inout TensorRequirements, prefix p: String, shape: InfinityShape) {
        let c = shape.width, f = shape.mlpWidth
        for (name, dimensions) in [
            ("ada_gss", [1, 1, 6, c]), ("sa.scale_mul_1H11", [1, shape.heads, 1, 1]),
            ("sa.mat_qkv.weight", [3 * c, c]),
            ("sa.q_bias", [c]), ("sa.v_bias", [c]), ("sa.proj.weight", [c, c]), ("sa.proj.bias", [c]),
            ("ca_norm.weight", [c]), ("ca_norm.bias", [c]), ("ca.mat_q.weight", [c, c]), ("ca.mat_q.bias", [c]),
            ("ca.mat_kv.weight", [2 * c, c]), ("ca.v_bias", [c]), ("ca.proj.weight", [c, c]), ("ca.proj.bias", [c]),
            ("ffn.fc1.weight", [f, c]), ("ffn.fc1.bias", [f]), ("ffn.fc2.weight", [c, f]), ("ffn.fc2.bias", [c]),
        ] { requirements.add(p + name, shape: dimensions) }
    }

    init(_ tensors: any TensorSource, prefix p: String, shape: InfinityShape) throws {
        let c = shape.width, f = shape.mlpWidth
        func layer(_ name: String, _ outputs: Int, _ inputs: Int, bias: [Float]? = nil) throws -> LinearLayer {
            LinearLayer(
                weight: try tensors.float32("\(p)\(name).weight"),
                bias: try bias ?? tensors.float32("\(p)\(name).bias"), outputs: outputs, inputs: inputs)
        }
        let zeros = [Float](repeating: 0, count: c)
        adaOffset = try tensors.float32(p + "ada_gss")
        queryScale = try tensors.float32(p + "sa.scale_mul_1H11").map { expf(min($0, logf(100))) }
        queryBias = try tensors.float32(p + "sa.q_bias")
        qkv = try layer("sa.mat_qkv", 3 * c, c, bias: queryBias + zeros + tensors.float32(p + "sa.v_bias"))
        attentionProjectionWeight = try tensors.float32(p + "sa.proj.weight")
        attentionProjection = LinearLayer(
            weight: attentionProjectionWeight, bias: try tensors.float32(p + "sa.proj.bias"), outputs: c, inputs: c)
        crossNormWeight = try tensors.float32(p + "ca_norm.weight")
        crossNormBias = try tensors.float32(p + "ca_norm.bias")
        crossQuery = try layer("ca.mat_q", c, c)
        crossKeyValue = try layer("ca.mat_kv", 2 * c, c, bias: zeros + tensors.float32(p + "ca.v_bias"))
        crossProjection = try layer("ca.proj", c, c)
        mlpIn = try layer("ffn.fc1", f, c)
        mlpOut = try layer("ffn.fc2", c, f)
    }
}
