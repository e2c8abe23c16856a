import VernierCore

/// A named tensor: its element type, its shape, and its little-endian bytes in row-major order.
///
/// The bytes belong to a mapped file or to memory that the view keeps alive; they are never written, so a view may be
/// used from several threads.
public struct TensorView: @unchecked Sendable {
    /// The tensor's name in its file.
    public let name: String
    /// The file the tensor comes from (name only), for messages.
    public let source: String
    /// The type of the stored elements.
    public let elementType: ElementType
    /// The extent of each dimension, outermost first; empty for a single number.
    public let shape: [Int]
    /// The stored elements: ``elementCount`` times the element's size, with no promise of alignment.
    ///
    /// Valid while the view, or a copy of it, lives; the compiler may end a view's life after its last use, so read
    /// through ``withBytes(_:)`` unless something else holds the view.
    public let bytes: UnsafeRawBufferPointer
    /// What keeps ``bytes`` valid.
    private let owner: AnyObject

    /// The number of elements: the product of ``shape``.
    public var elementCount: Int { bytes.count / elementType.byteCount }

    /// Names `bytes`, which stay valid as long as `owner` lives.
    ///
    /// - Precondition: `bytes` holds exactly the elements of `shape`.
    public init(
        name: String, source: String, elementType: ElementType, shape: [Int], bytes: UnsafeRawBufferPointer,
        owner: AnyObject
    ) {
        precondition(
            Self.byteCount(of: shape, elementType) == bytes.count, "bytes hold exactly the elements of the shape")
        self.name = name
        self.source = source
        self.elementType = elementType
        self.shape = shape
        self.bytes = bytes
        self.owner = owner
    }

    /// Where the tensor is, for messages: `model.safetensors, tensor 'head.weight'`.
    public var place: String { "\(source), tensor '\(name)'" }

    /// Calls `body` with ``bytes``, which stay valid until it returns.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(owner) { try body(bytes) }
    }

    /// Lets the system take back the memory of a large tensor of a mapped file; it can still be read.
    ///
    /// Called once a tensor has been turned into what the model computes with: a checkpoint is not held twice.
    func release() { if bytes.count >= Self.largeByteCount { (owner as? MappedFile)?.release(bytes) } }

    /// From so many bytes on, memory matters more than reading again.
    private static let largeByteCount = 1 << 20

    /// The same tensor under another name.
    public func renamed(_ newName: String) -> TensorView {
        TensorView(
            name: newName, source: source, elementType: elementType, shape: shape, bytes: bytes, owner: owner)
    }

    /// A part of the tensor.
    func slice(named name: String, shape: [Int], byteRange: Range<Int>) -> TensorView {
        TensorView(
            name: name, source: source, elementType: elementType, shape: shape,
            bytes: UnsafeRawBufferPointer(rebasing: bytes[byteRange]), owner: owner)
    }

    /// The size of a tensor in bytes; `nil` if a dimension is negative or the size does not fit `Int`.
    static func byteCount(of shape: [Int], _ elementType: ElementType) -> Int? {
        var count = elementType.byteCount
        for extent in shape {
            guard extent >= 0 else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard !overflow else { return nil }
            count = product
        }
        return count
    }

    func check(shape expected: [Int]?) throws {
        guard let expected, expected != shape else { return }
        throw VernierError(
            .mismatch, at: place, expected: "shape \(expected)", found: "shape \(shape)",
            remedy: "Check that the weights and the configuration belong to the same model.")
    }
}
