/// A value on the pickle's stack: a small number of bytes that refers to what lies in the pickle or in its objects.
///
/// Values do not own each other, so that no nesting, however deep, needs recursion to be made, walked or freed.
enum PickleValue: Sendable {
    /// `None`.
    case none
    /// `True` or `False`.
    case bool(Bool)
    /// A whole number that fits 64 bits.
    case integer(Int64)
    /// A text: its UTF-8 bytes in the pickle, not yet validated.
    case text(offset: UInt32, count: UInt32)
    /// Elements of ``PickleObjects/tupleElements``.
    case tuple(offset: UInt32, count: UInt32)
    /// An element of ``PickleObjects/dictionaries``.
    case dictionary(Int)
    /// A permitted import.
    case global(PickleGlobal)
    /// An element of ``PickleObjects/storages``.
    case storage(Int)
    /// An element of ``PickleObjects/tensors``.
    case tensor(Int)
    /// A list, whose elements are dropped: no tensor that matters stands in one.
    case list
    /// A fraction, or a whole number beyond 64 bits: its value is never used.
    case other

    /// The kind of value in words, for messages.
    var kind: String {
        switch self {
        case .none: "None"
        case .bool: "a truth value"
        case .integer(let number): "the number \(number)"
        case .text: "a text"
        case .tuple(_, let count): "a tuple of \(count)"
        case .dictionary: "a dictionary"
        case .global: "an import"
        case .storage: "a storage"
        case .tensor: "a tensor"
        case .list: "a list"
        case .other: "a number"
        }
    }
}
