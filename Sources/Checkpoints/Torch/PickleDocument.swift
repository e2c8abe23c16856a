/// What a pickle describes: the value it leaves, and the objects that this value refers to.
struct PickleDocument {
    /// The value that stood on the stack at the end.
    let root: PickleValue
    /// What the values index.
    let objects: PickleObjects
    /// The pickle, for texts. Whoever asks for one keeps its owner alive.
    let bytes: UnsafeRawBufferPointer

    /// The text of a value; `nil` if it is none or no valid UTF-8.
    func text(_ value: PickleValue) -> String? { Self.text(value, in: bytes) }

    static func text(_ value: PickleValue, in bytes: UnsafeRawBufferPointer) -> String? {
        guard case .text(let offset, let count) = value, let part = bytes.part(Int(offset)..<Int(offset) + Int(count))
        else { return nil }
        return String(validating: part, as: UTF8.self)
    }
}
