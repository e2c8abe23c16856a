/// The fields of one protocol-buffer message, in order: just enough to find a part of a model file.
///
/// Source: protobuf.dev, Encoding. Groups, which no model file has, end the walk like any other fault.
struct ProtobufFields {
    /// One field with its content, if that has a length.
    struct Field {
        /// The field's number.
        let number: UInt64
        /// The bytes of a string, of bytes or of a message inside; `nil` for numbers.
        let content: UnsafeRawBufferPointer?
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// Whether the message broke the encoding at the place where the walk ended.
    private(set) var isMalformed = false

    /// Walks the message in `bytes`.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next field; `nil` at the end and at a fault.
    mutating func next() -> Field? {
        guard position < bytes.count, !isMalformed else { return nil }
        guard let key = varint() else { return fail() }
        let length: UInt64
        switch key & 7 {
        case 0: return varint() == nil ? fail() : Field(number: key >> 3, content: nil)
        case 1: length = 8
        case 2:
            guard let stated = varint() else { return fail() }
            length = stated
        case 5: length = 4
        default: return fail()
        }
        guard length <= UInt64(bytes.count - position) else { return fail() }
        let start = position
        position += Int(length)
        let content = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
        return Field(number: key >> 3, content: key & 7 == 2 ? content : nil)
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private mutating func fail() -> Field? {
        isMalformed = true
        return nil
    }
}
