extension JSONValue {
    /// Parses one JSON text, strictly after RFC 8259.
    ///
    /// Refused: anything after the value but white space, a byte order mark, duplicate keys, invalid UTF-8, lone
    /// surrogates, raw control characters in strings, numbers beyond the range of Double, and nesting deeper than
    /// `maximumDepth` arrays and objects (at most 512). Memory is bounded by a multiple of the text's size.
    ///
    /// `name` is the file's name for messages. Throws ``VernierError/Code/malformedFile`` at
    /// `name, line 3, column 7`; lines and columns start at 1, columns count Unicode scalars.
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, name: String, maximumDepth: Int = 64
    ) throws -> JSONValue {
        var parser = JSONParser(bytes: bytes, name: name, depthLeft: min(maximumDepth, 512))
        return try parser.parseDocument()
    }

    /// Parses a string; see ``parse(_:name:maximumDepth:)-(UnsafeRawBufferPointer,_,_)``.
    public static func parse(_ text: String, name: String, maximumDepth: Int = 64) throws -> JSONValue {
        var text = text
        return try text.withUTF8 { try parse(UnsafeRawBufferPointer($0), name: name, maximumDepth: maximumDepth) }
    }

    /// Parses an array of bytes; see ``parse(_:name:maximumDepth:)-(UnsafeRawBufferPointer,_,_)``.
    public static func parse(_ bytes: [UInt8], name: String, maximumDepth: Int = 64) throws -> JSONValue {
        try bytes.withUnsafeBytes { try parse($0, name: name, maximumDepth: maximumDepth) }
    }
}

/// A recursive-descent parser over bytes. `position` never passes `bytes.count`.
private struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    let name: String
    var depthLeft: Int
    var position = 0

    init(bytes: UnsafeRawBufferPointer, name: String, depthLeft: Int) {
        self.bytes = bytes
        self.name = name
        self.depthLeft = depthLeft
    }

    /// The byte at `position`; nil at the end.
    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func parseDocument() throws -> JSONValue {
        skipSpace()
        let value = try parseValue()
        skipSpace()
        guard position == bytes.count else { throw failure(expected: "the end of the text") }
        return value
    }

    private mutating func parseValue() throws -> JSONValue {
        switch current {
        case UInt8(ascii: "{"): return try parseObject()
        case UInt8(ascii: "["): return try parseArray()
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try parseNumber()
        default: throw failure(expected: "a value")
        }
    }

    private mutating func parseObject() throws -> JSONValue {
        try enter()
        var object = JSONObject()
        if take(UInt8(ascii: "}")) { return leave(.object(object)) }
        while true {
            guard current == UInt8(ascii: "\"") else { throw failure(expected: "a key in quotes") }
            let keyPosition = position
            let key = try parseString()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure(expected: "':' after the key") }
            let value = try parseValue()
            guard object.insert(key, value) else {
                position = keyPosition
                throw failure(problem: "the key \(JSONValue.quoted(key)) appears twice in one object")
            }
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "}")) else { throw failure(expected: "',' or '}' after the value") }
            return leave(.object(object))
        }
    }

    private mutating func parseArray() throws -> JSONValue {
        try enter()
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return leave(.array(elements)) }
        while true {
            elements.append(try parseValue())
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "]")) else { throw failure(expected: "',' or ']' after the element") }
            return leave(.array(elements))
        }
    }

    /// Steps over an opening bracket and the space behind it.
    private mutating func enter() throws {
        guard depthLeft > 0 else { throw failure(problem: "arrays and objects are nested too deeply") }
        depthLeft -= 1
        position += 1
        skipSpace()
    }

    private mutating func leave(_ value: JSONValue) -> JSONValue {
        depthLeft += 1
        return value
    }

    /// Steps over `byte` and the space behind it if it is next.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        skipSpace()
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
        let count = word.utf8CodeUnitCount
        guard bytes.count - position >= count,
            bytes[position..<position + count].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: count))
        else { throw failure(expected: "a value", found: "a word that is none of true, false, null") }
        position += count
        return value
    }

    // MARK: Numbers

    private mutating func parseNumber() throws -> JSONValue {
        let start = position
        let isNegative = current == UInt8(ascii: "-")
        if isNegative { position += 1 }
        let firstDigit = position
        try skipDigits()
        if bytes[firstDigit] == UInt8(ascii: "0") && position > firstDigit + 1 {
            position = firstDigit
            throw failure(problem: "a number starts with 0 and goes on with digits")
        }
        var isWhole = true
        if current == UInt8(ascii: ".") {
            isWhole = false
            position += 1
            try skipDigits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isWhole = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try skipDigits()
        }
        if isWhole, let value = wholeNumber(from: firstDigit, to: position, isNegative: isNegative) {
            return .integer(value)
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            position = start
            throw failure(problem: "the number \(text.prefix(40)) is beyond the range of a 64-bit float")
        }
        return .number(value)
    }

    private mutating func skipDigits() throws {
        let start = position
        while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        guard position > start else { throw failure(expected: "a digit") }
    }

    /// The digits as an Int64; nil for minus zero and for what does not fit.
    private func wholeNumber(from start: Int, to end: Int, isNegative: Bool) -> Int64? {
        var value: Int64 = 0
        for index in start..<end {
            let digit = Int64(bytes[index] - UInt8(ascii: "0"))
            let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = tens.addingReportingOverflow(isNegative ? -digit : digit)
            if tooLarge || overflow { return nil }
            value = sum
        }
        return isNegative && value == 0 ? nil : value
    }

    // MARK: Strings

    private mutating func parseString() throws -> String {
        position += 1
        let start = position
        skipPlainWords()
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                let text = String(decoding: bytes[start..<position], as: UTF8.self)
                position += 1
                return text
            case UInt8(ascii: "\\"): return try parseEscapedString(from: start)
            case 0..<0x20: throw failure(problem: "a control character (\(byte)) stands in a string")
            case 0x20..<0x80: position += 1
            default: try skipMultibyteScalar()
            }
        }
        throw failure(expected: "'\"' at the end of the string")
    }

    /// Steps over ASCII text 64 bytes at a time, up to the first 64 that hold a quote, a backslash, a control
    /// character or a byte of another alphabet: profiles hold megabytes of base64.
    private mutating func skipPlainWords() {
        typealias Words = SIMD8<UInt64>
        let ones = Words(repeating: 0x0101_0101_0101_0101), highs = ones &<< 7
        while bytes.count - position >= 64 {
            let words = bytes.loadUnaligned(fromByteOffset: position, as: Words.self)
            // A byte's high bit is set where it is zero (x - 1 borrows) or below 0x20; false alarms only stop early.
            let quotes = words ^ (ones &* 0x22), backslashes = words ^ (ones &* 0x5C)
            let special = (words &- ones &* 0x20) | (quotes &- ones) | (backslashes &- ones) | words
            guard special & highs == Words.zero else { return }
            position += 64
        }
    }

    /// Goes on with a string whose first escape is at `position`.
    private mutating func parseEscapedString(from start: Int) throws -> String {
        var text = Array(bytes[start..<position])
        var copied = position
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                text.append(contentsOf: bytes[copied..<position])
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text.append(contentsOf: bytes[copied..<position])
                text.append(contentsOf: UTF8.encode(try parseEscape()) ?? UTF8.encodedReplacementCharacter)
                copied = position
            case 0..<0x20: throw failure(problem: "a control character (\(byte)) stands in a string")
            case 0x20..<0x80: position += 1
            default: try skipMultibyteScalar()
            }
        }
        throw failure(expected: "'\"' at the end of the string")
    }

    private mutating func parseEscape() throws -> Unicode.Scalar {
        let start = position
        position += 1
        guard let byte = current else { throw failure(expected: "a character after '\\'") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try parseHexadecimal()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            if unit < 0xDC00, current == UInt8(ascii: "\\"), position + 1 < bytes.count,
                bytes[position + 1] == UInt8(ascii: "u")
            {
                position += 2
                let low = try parseHexadecimal()
                if (0xDC00..<0xE000).contains(low),
                    let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
                {
                    return scalar
                }
            }
            position = start
            throw failure(problem: "half of a surrogate pair stands alone")
        default:
            position = start
            throw failure(problem: "a backslash is followed by something that is no escape")
        }
    }

    private mutating func parseHexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            switch current {
            case .some(let byte) where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"):
                value = value << 4 + UInt32(byte - UInt8(ascii: "0"))
            case .some(let byte) where byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f"):
                value = value << 4 + UInt32(byte | 0x20 - UInt8(ascii: "a") + 10)
            default: throw failure(expected: "four hexadecimal digits")
            }
            position += 1
        }
        return value
    }

    /// Steps over one scalar of two to four bytes (Unicode 3.9, table 3-7).
    private mutating func skipMultibyteScalar() throws {
        let first = bytes[position]
        let (count, second): (Int, ClosedRange<UInt8>)
        switch first {
        case 0xC2...0xDF: (count, second) = (2, 0x80...0xBF)
        case 0xE0: (count, second) = (3, 0xA0...0xBF)
        case 0xE1...0xEC, 0xEE...0xEF: (count, second) = (3, 0x80...0xBF)
        case 0xED: (count, second) = (3, 0x80...0x9F)
        case 0xF0: (count, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (count, second) = (4, 0x80...0xBF)
        case 0xF4: (count, second) = (4, 0x80...0x8F)
        default: throw failure(problem: "the text is not valid UTF-8")
        }
        guard bytes.count - position >= count, second.contains(bytes[position + 1]),
            bytes[position + 2..<max(position + count, position + 2)].allSatisfy({ $0 & 0xC0 == 0x80 })
        else { throw failure(problem: "the text is not valid UTF-8") }
        position += count
    }

    // MARK: Errors

    private func failure(expected: String, found: String? = nil) -> VernierError {
        let seen =
            switch current {
            case nil: "the end of the text"
            case .some(let byte) where byte > 0x20 && byte < 0x7F: "'\(Character(Unicode.Scalar(byte)))'"
            case .some(let byte): "the byte \(byte)"
            }
        return VernierError(.malformedFile, at: place, expected: expected, found: found ?? seen)
    }

    private func failure(problem: String) -> VernierError {
        VernierError(.malformedFile, at: place, problems: [problem])
    }

    private var place: String {
        var line = 1
        var column = 1
        for byte in bytes[0..<position] {
            if byte == 0x0A {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        return "\(name), line \(line), column \(column)"
    }
}
