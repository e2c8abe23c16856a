import Checkpoints
import TensorKernels
import VernierCore

/// Looks up the tensors of an image tokeniser, whose official keys carry wrapper names (`X.conv.weight`,
/// `X.norm.weight`) that some copies lack; both are read.
struct TokenizerWeights {
    let tensors: any TensorSource
    var requirements = TensorRequirements()

    init(_ tensors: any TensorSource) { self.tensors = tensors }

    mutating func requireConvolution(_ name: String, _ outputs: Int, _ inputs: Int, side: Int = 3) {
        requirements.add("\(name).conv.weight", "\(name).weight", shape: [outputs, inputs, side, side])
        requirements.add("\(name).conv.bias", "\(name).bias", shape: [outputs])
    }

    mutating func requireNorm(_ name: String, _ channels: Int) {
        requirements.add("\(name).norm.weight", "\(name).weight", shape: [channels])
        requirements.add("\(name).norm.bias", "\(name).bias", shape: [channels])
    }

    mutating func requireBlock(_ name: String, _ inputs: Int, _ outputs: Int) {
        requireNorm(name + ".norm1", inputs)
        requireConvolution(name + ".conv1", outputs, inputs)
        requireNorm(name + ".norm2", outputs)
        requireConvolution(name + ".conv2", outputs, outputs)
        if inputs != outputs { requireConvolution(name + ".nin_shortcut", outputs, inputs, side: 1) }
    }

    mutating func requireAttention(_ name: String, _ channels: Int) {
        requireNorm(name + ".norm", channels)
        requireConvolution(name + ".qkv", 3 * channels, channels, side: 1)
        requireConvolution(name + ".proj_out", channels, channels, side: 1)
    }

    func check() throws { try requirements.check(tensors) }

    func convolution(_ name: String, _ outputs: Int, _ inputs: Int, side: Int = 3) throws -> Convolution {
        Convolution(
            weight: try values(name, wrapper: "conv", "weight"), bias: try values(name, wrapper: "conv", "bias"),
            outputs: outputs, inputs: inputs, kernelSide: side)
    }

    func norm(_ name: String) throws -> GroupNorm {
        GroupNorm(
            weight: try values(name, wrapper: "norm", "weight"), bias: try values(name, wrapper: "norm", "bias"))
    }

    func block(_ name: String, _ inputs: Int, _ outputs: Int) throws -> ResidualBlock {
        ResidualBlock(
            norm1: try norm(name + ".norm1"), conv1: try convolution(name + ".conv1", outputs, inputs),
            norm2: try norm(name + ".norm2"), conv2: try convolution(name + ".conv2", outputs, outputs),
            shortcut: inputs == outputs ? nil : try convolution(name + ".nin_shortcut", outputs, inputs, side: 1))
    }

    func attention(_ name: String, _ channels: Int) throws -> AttentionBlock {
        AttentionBlock(
            norm: try norm(name + ".norm"), qkv: try convolution(name + ".qkv", 3 * channels, channels, side: 1),
            projection: try convolution(name + ".proj_out", channels, channels, side: 1))
    }

    private func values(_ name: String, wrapper: String, _ leaf: String) throws -> [Float] {
        let wrapped = "\(name).\(wrapper).\(leaf)"
        return try tensors.float32(try tensors.tensor(wrapped) == nil ? "\(name).\(leaf)" : wrapped)
    }
}
