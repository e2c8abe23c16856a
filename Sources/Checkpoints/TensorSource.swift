import VernierCore

/// Something that holds named tensors: one file, several shards, a part of a file, or memory.
public protocol TensorSource: Sendable {
    /// What the source is called in messages: a file's name without its folders.
    var sourceName: String { get }
    /// The names of all tensors, in ascending order of their UTF-8 bytes.
    var tensorNames: [String] { get }
    /// The tensor of that name; `nil` if there is none.
    ///
    /// Throws if the tensor exists but cannot be read.
    func tensor(_ name: String) throws -> TensorView?
}

extension TensorSource {
    /// The tensor of that name. Throws ``VernierError/Code/mismatch`` if there is none.
    public func view(_ name: String) throws -> TensorView {
        guard let view = try tensor(name) else {
            throw VernierError(
                .mismatch, at: sourceName, expected: "a tensor '\(name)'", found: "none of that name",
                remedy: "Check that the weights belong to this kind of model.")
        }
        return view
    }

    /// The numbers of a tensor in single precision; see ``TensorView/float32(shape:)``.
    public func float32(_ name: String, shape: [Int]? = nil) throws -> [Float] {
        try view(name).float32(shape: shape)
    }

    /// The numbers of a tensor as 32-bit integers; see ``TensorView/int32(shape:)``.
    public func int32(_ name: String, shape: [Int]? = nil) throws -> [Int32] {
        try view(name).int32(shape: shape)
    }

    /// The bytes of a tensor; see ``TensorView/uint8(shape:)``.
    public func uint8(_ name: String, shape: [Int]? = nil) throws -> [UInt8] {
        try view(name).uint8(shape: shape)
    }

    /// The tensors whose names begin with `prefix`, under the rest of their names.
    public func tensors(under prefix: String) -> PrefixedTensors { PrefixedTensors(base: self, prefix: prefix) }
}
