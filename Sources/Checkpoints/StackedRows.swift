import VernierCore

/// The rows of one or several matrices `[n, width]`, one matrix on top of the next, read in single precision part by part:
/// the largest weights need not be held a second time while they are packed.
public struct StackedRows: Sendable {
    /// Rows of all matrices.
    public let count: Int
    /// Numbers in a row.
    public let width: Int
    private let matrices: [TensorView]

    /// Stacks the tensors of these names.
    ///
    /// Throws ``VernierError/Code/mismatch`` if there is none of a name or its shape is not `[count / names, width]`.
    public init(_ tensors: any TensorSource, _ names: [String], count: Int, width: Int) throws {
        self.count = count
        self.width = width
        matrices = try names.map { name in
            let matrix = try tensors.view(name)
            try matrix.check(shape: [count / names.count, width])
            return matrix
        }
    }

    /// Whether all numbers are stored in bfloat16.
    public var areBFloat16: Bool { matrices.allSatisfy { $0.elementType == .bf16 } }

    /// Writes some rows `[rows.count, width]`; several threads may read at once.
    ///
    /// Throws as ``TensorView/float32(shape:)`` does.
    /// - Precondition: the rows are there, and `target` has room for them.
    public func copyFloat32(rows: Range<Int>, into target: UnsafeMutablePointer<Float>) throws {
        let each = count / matrices.count
        for (place, matrix) in matrices.enumerated() {
            let own = rows.clamped(to: place * each..<(place + 1) * each)
            guard !own.isEmpty else { continue }
            try matrix.copyFloat32(
                elements: (own.lowerBound - place * each) * width..<(own.upperBound - place * each) * width,
                into: UnsafeMutableBufferPointer(
                    start: target + (own.lowerBound - rows.lowerBound) * width, count: own.count * width))
        }
    }

    /// Lets the system take back the memory of what has been read; it can still be read again.
    public func release() { for matrix in matrices { matrix.release() } }
}
