/// Base64 as RFC 4648 section 4 has it: standard alphabet, padded, no line breaks. Binary parts of JSON files use it.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")
    /// The six bits of each letter; 0xFF for what is none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, letter) in alphabet.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()

    /// The text of some bytes.
    public static func encode(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { text in
            var place = 0
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let count = min(3, bytes.count - start)
                var word = UInt32(bytes[start]) << 16
                if count > 1 { word |= UInt32(bytes[start + 1]) << 8 }
                if count > 2 { word |= UInt32(bytes[start + 2]) }
                for letter in 0..<4 {
                    text[place] = letter <= count ? alphabet[Int(word >> (18 - 6 * UInt32(letter))) & 63] : padding
                    place += 1
                }
            }
            return place
        }
    }

    /// The bytes of a text; nil unless it is exactly what ``encode(_:)`` would write for them.
    public static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { text in
            guard text.count % 4 == 0 else { return nil }
            guard !text.isEmpty else { return [] }
            let padded = text[text.count - 1] != padding ? 0 : text[text.count - 2] != padding ? 1 : 2
            let whole = text.count / 4 - (padded > 0 ? 1 : 0)
            var isSound = true
            var bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { bytes, count in
                values.withUnsafeBufferPointer { values in
                    var seen: UInt8 = 0
                    for group in 0..<whole {
                        let a = values[Int(text[4 * group])], b = values[Int(text[4 * group + 1])]
                        let c = values[Int(text[4 * group + 2])], d = values[Int(text[4 * group + 3])]
                        seen |= a | b | c | d
                        bytes[3 * group] = a << 2 | b >> 4
                        bytes[3 * group + 1] = b << 4 | c >> 2
                        bytes[3 * group + 2] = c << 6 | d
                    }
                    isSound = seen < 64
                }
                count = 3 * whole
            }
            if padded > 0 {
                let last = 4 * whole
                let a = values[Int(text[last])], b = values[Int(text[last + 1])]
                let c = padded == 1 ? values[Int(text[last + 2])] : 0
                // Bits beyond the last byte must be zero, or two texts would mean the same bytes.
                guard a | b | c < 64, padded == 1 ? c & 3 == 0 : b & 15 == 0 else { return nil }
                bytes.append(a << 2 | b >> 4)
                if padded == 1 { bytes.append(b << 4 | c >> 2) }
            }
            return isSound ? bytes : nil
        }
    }
}
