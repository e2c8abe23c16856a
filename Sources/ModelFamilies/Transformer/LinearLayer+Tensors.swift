import Checkpoints
import TensorKernels

extension LinearLayer {
    /// Reads and packs `name.weight` `[outputs, inputs]` and `name.bias`, or another bias.
    convenience init(
        _ tensors: any TensorSource, _ name: String, _ outputs: Int, _ inputs: Int, bias: [Float]? = nil
    ) throws {
        self.init(
            weight: try tensors.float32(name + ".weight"), bias: try bias ?? tensors.float32(name + ".bias"),
            outputs: outputs, inputs: inputs)
    }
}
