/// The tensors of one file of a checkpoint, in the order of its state dictionary.
///
/// Written down from the specification (`models.md` sections 2.2, 2.3, 3.3, 3.8 and 4), not derived from what the models
/// read, so that each checks the other.
public struct CheckpointLayout: Sendable, Hashable {
    /// Every tensor of the file.
    public private(set) var tensors: [TensorDeclaration] = []

    /// Trained numbers.
    public var parameterCount: Int { tensors.reduce(0) { $0 + ($1.isParameter ? $1.elementCount : 0) } }

    /// The tensors whose names pass.
    func filtered(_ isIncluded: (String) -> Bool) -> CheckpointLayout {
        var layout = self
        layout.tensors = tensors.filter { isIncluded($0.name) }
        return layout
    }

    mutating func add(_ name: String, _ shape: [Int], _ fill: TensorDeclaration.Fill) {
        tensors.append(TensorDeclaration(name, shape, fill))
    }

    mutating func addBuffer(
        _ name: String, _ shape: [Int], _ fill: TensorDeclaration.Fill = .constant(0), isInteger: Bool = false
    ) { tensors.append(TensorDeclaration(name, shape, fill, isParameter: false, isInteger: isInteger)) }

    /// A linear layer's weight `[outputs, inputs]` and bias.
    mutating func addLinear(_ name: String, _ outputs: Int, _ inputs: Int, gain: Float = 1) {
        add("\(name).weight", [outputs, inputs], .weights(inputs: inputs, gain: gain))
        addBias("\(name).bias", outputs)
    }

    mutating func addBias(_ name: String, _ count: Int) { add(name, [count], .spread(0.02)) }
}
