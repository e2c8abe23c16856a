import Checkpoints
import TensorKernels

/// The weights of one block's attention to text (`models.md` section 3.5).
struct CrossAttention: Sendable {
    let normWeight: [Float]
    let normBias: [Float]
    let query: LinearLayer
    let keyValue: LinearLayer  // [2C, C], bias [0, v_bias]
    let projection: LinearLayer

    init(_ tensors: any TensorSource, prefix p: String, width c: Int) throws {
        normWeight = try tensors.float32(p + "ca_norm.weight")
        normBias = try tensors.float32(p + "ca_norm.bias")
        query = try LinearLayer(tensors, p + "ca.mat_q", c, c)
        keyValue = try LinearLayer(
            tensors, p + "ca.mat_kv", 2 * c, c,
            bias: [Float](repeating: 0, count: c) + tensors.float32(p + "ca.v_bias"))
        projection = try LinearLayer(tensors, p + "ca.proj", c, c)
    }
}
