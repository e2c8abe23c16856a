extension JSONValue {
    /// The value's canonical text: equal values, whatever the order of their members, give equal bytes.
    ///
    /// Keys stand in the order of their UTF-8 bytes, members and elements on lines of their own, indented by two
    /// spaces, but arrays of scalars on one line; numbers in the shortest form that reads back equal, whole numbers
    /// without fraction, floats always with fraction or exponent; a newline at the end.
    ///
    /// Throws ``VernierError/Code/nonFinite`` for a number that is not finite: JSON cannot hold it.
    public func canonicalText() throws -> String {
        var writer = JSONWriter(isOneLine: false)
        try writer.write(self, indentation: 0)
        writer.bytes.append(0x0A)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// The canonical text on one line, without the newline at the end; see ``canonicalText()``.
    public func canonicalLine() throws -> String {
        var writer = JSONWriter(isOneLine: true)
        try writer.write(self, indentation: 0)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// Appends canonical JSON to `bytes`.
struct JSONWriter {
    let isOneLine: Bool
    var bytes: [UInt8] = []

    init(isOneLine: Bool) { self.isOneLine = isOneLine }

    mutating func write(_ value: JSONValue, indentation: Int) throws {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value): append(value.description)
        case .number(let value):
            guard value.isFinite else {
                throw VernierError(.nonFinite, at: "JSON", expected: "a finite number", found: "\(value)")
            }
            append(value.description)
        case .string(let value): Self.append(value, to: &bytes)
        case .array(let elements):
            let isInline = isOneLine || elements.allSatisfy(\.isScalar)
            try writeList("[", "]", isInline, indentation, elements) { writer, element in
                try writer.write(element, indentation: indentation + 2)
            }
        case .object(let object):
            let sorted = object.members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            try writeList("{", "}", isOneLine || sorted.isEmpty, indentation, sorted) { writer, member in
                Self.append(member.key, to: &writer.bytes)
                writer.append(": ")
                try writer.write(member.value, indentation: indentation + 2)
            }
        }
    }

    private mutating func writeList<Element>(
        _ opening: String, _ closing: String, _ isInline: Bool, _ indentation: Int, _ elements: [Element],
        writeElement: (inout JSONWriter, Element) throws -> Void
    ) throws {
        append(opening)
        for (index, element) in elements.enumerated() {
            if index > 0 { append(isInline ? ", " : ",") }
            if !isInline { appendNewline(indentation + 2) }
            try writeElement(&self, element)
        }
        if !isInline { appendNewline(indentation) }
        append(closing)
    }

    private mutating func appendNewline(_ indentation: Int) {
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: indentation))
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends `text` in quotes; only quotes, backslashes and control characters are escaped.
    static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        defer { bytes.append(UInt8(ascii: "\"")) }
        // Megabytes of base64 among them.
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) else {
            bytes.append(contentsOf: text.utf8)
            return
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x08: bytes.append(contentsOf: "\\b".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0C: bytes.append(contentsOf: "\\f".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0..<0x20: bytes.append(contentsOf: "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
            default: bytes.append(byte)
            }
        }
    }
}
