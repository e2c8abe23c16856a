extension TensorView {
    /// One row of the outermost dimension, without copying it.
    ///
    /// - Precondition: the tensor has a dimension, and `index` is in `0..<shape[0]`.
    public func row(_ index: Int) -> TensorView {
        precondition(!shape.isEmpty && (0..<shape[0]).contains(index), "index is in 0..<shape[0]")
        let byteCount = bytes.count / shape[0]
        return slice(
            named: "\(name)[\(index)]", shape: Array(shape.dropFirst()),
            byteRange: index * byteCount..<(index + 1) * byteCount)
    }
}
