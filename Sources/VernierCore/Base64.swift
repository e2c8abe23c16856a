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
    /// The twelve bits of each pair of letters, the first one in the low byte of the index; the highest bit for what is
    /// no pair.
    private static let pairs: [UInt16] = {
        var pairs = [UInt16](repeating: 0x8000, count: 1 << 16)
        for (high, first) in alphabet.enumerated() {
            for (low, second) in alphabet.enumerated() {
                pairs[Int(second) << 8 | Int(first)] = UInt16(high << 6 | low)
            }
        }
        return pairs
    }()

    /// The text of some bytes.
    public static func encode(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { text in
            // Whole groups, and what is left of the last one.
            let whole = bytes.count / 3
            alphabet.withUnsafeBufferPointer { alphabet in
                bytes.withUnsafeBufferPointer { bytes in
                    for group in 0..<whole {
                        let a = bytes[3 * group], b = bytes[3 * group + 1], c = bytes[3 * group + 2]
                        text[4 * group] = alphabet[Int(a >> 2)]
                        text[4 * group + 1] = alphabet[Int(a << 4 & 63 | b >> 4)]
                        text[4 * group + 2] = alphabet[Int(b << 2 & 63 | c >> 6)]
                        text[4 * group + 3] = alphabet[Int(c & 63)]
                    }
                }
            }
            var place = 4 * whole
            if bytes.count > 3 * whole {
                let a = bytes[3 * whole], b = bytes.count > 3 * whole + 1 ? bytes[3 * whole + 1] : nil
                text[place] = alphabet[Int(a >> 2)]
                text[place + 1] = alphabet[Int(a << 4 & 63 | (b ?? 0) >> 4)]
                text[place + 2] = b.map { alphabet[Int($0 << 2 & 63)] } ?? padding
                text[place + 3] = padding
                place += 4
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
                isSound = decode(groups: whole, of: UnsafeRawBufferPointer(text), into: bytes)
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

    /// Writes three bytes for each group of four letters; false if some letter is none.
    private static func decode(
        groups: Int, of text: UnsafeRawBufferPointer, into bytes: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        pairs.withUnsafeBufferPointer { pairs in
            let to = UnsafeMutableRawBufferPointer(bytes)
            var seen: UInt16 = 0, group = 0
            // Two groups at a time; the store's two bytes too many are the next groups', so the last ones go singly.
            while group + 3 <= groups {
                let word = text.loadUnaligned(fromByteOffset: 4 * group, as: UInt64.self).littleEndian
                let a = pairs[Int(word & 0xFFFF)], b = pairs[Int(word >> 16 & 0xFFFF)]
                let c = pairs[Int(word >> 32 & 0xFFFF)], d = pairs[Int(word >> 48)]
                seen |= a | b | c | d
                let bits = UInt64(a) << 52 | UInt64(b & 0xFFF) << 40 | UInt64(c & 0xFFF) << 28 | UInt64(d & 0xFFF) << 16
                to.storeBytes(of: bits.bigEndian, toByteOffset: 3 * group, as: UInt64.self)
                group += 2
            }
            while group < groups {
                let a = pairs[Int(text[4 * group + 1]) << 8 | Int(text[4 * group])]
                let b = pairs[Int(text[4 * group + 3]) << 8 | Int(text[4 * group + 2])]
                seen |= a | b
                to[3 * group] = UInt8(truncatingIfNeeded: a >> 4)
                to[3 * group + 1] = UInt8(truncatingIfNeeded: a << 4 | b >> 8)
                to[3 * group + 2] = UInt8(truncatingIfNeeded: b)
                group += 1
            }
            return seen & 0x8000 == 0
        }
    }
}
