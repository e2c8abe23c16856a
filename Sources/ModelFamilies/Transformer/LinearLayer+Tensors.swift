import Checkpoints
import TensorKernels

extension LinearLayer {
    /// Reads and packs `name.weight` `[outputs, inputs]` and `name.bias`, or another bias.
    convenience init(
        _ tensors: any TensorSource, _ name: String, _ outputs: Int, _ inputs: Int, bias: [Float]? = nil
    ) throws {
        let rows = try StackedRows(tensors, [name + ".weight"], count: outputs, width: inputs)
        try self.init(
            outputs: outputs, inputs: inputs, bias: try bias ?? tensors.float32(name + ".bias"),
            fitBFloat16: rows.areBFloat16, reading: rows.copyFloat32)
        rows.release()
    }
}
