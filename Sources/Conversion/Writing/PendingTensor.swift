import Checkpoints

/// A tensor that is to be written, and made when its turn comes.
struct PendingTensor {
    let name: String
    let elementType: ElementType
    /// Extents, outermost first; their product is known to fit.
    let shape: [Int]
    let make: () throws -> TensorView

    /// The size of its content.
    var byteCount: Int { shape.reduce(elementType.byteCount, *) }
}

extension [PendingTensor] {
    /// The size of all contents.
    var byteCount: Int { reduce(0) { $0 + $1.byteCount } }
}
