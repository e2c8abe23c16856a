/// The tensors of another source whose names begin with a prefix, under the rest of their names.
public struct PrefixedTensors: TensorSource {
    private let base: any TensorSource
    private let prefix: String

    /// Shows the part of `base` below `prefix`, for example `transformer.`.
    public init(base: any TensorSource, prefix: String) {
        self.base = base
        self.prefix = prefix
    }

    public var sourceName: String { base.sourceName }

    public var tensorNames: [String] {
        base.tensorNames.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    public func tensor(_ name: String) throws -> TensorView? { try base.tensor(prefix + name) }
}
