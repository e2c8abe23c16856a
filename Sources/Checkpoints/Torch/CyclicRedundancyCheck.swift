/// The CRC-32 of zip files: polynomial 0xEDB88320, reflected.
///
/// Eight bytes a step by eight tables. Source: Kounavis and Berry: A systematic approach to building high performance
/// software-based CRC generators (ISCC 2005).
enum CyclicRedundancyCheck {
    /// The check sum of `bytes`.
    static func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var sum = UInt32.max
        var position = 0
        tables.withUnsafeBufferPointer { table in
            while position &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                let mixed = word ^ UInt64(sum)
                var next: UInt32 = 0
                for lane in 0..<8 {
                    let byte = Int(truncatingIfNeeded: mixed >> UInt64(8 &* lane)) & 255
                    next ^= table[(7 &- lane) &* 256 &+ byte]
                }
                sum = next
                position &+= 8
            }
            while position < bytes.count {
                sum = sum >> 8 ^ table[Int(UInt8(truncatingIfNeeded: sum) ^ bytes[position])]
                position &+= 1
            }
        }
        return ~sum
    }

    /// Table t, at 256 t: the check sum of one byte followed by t zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var sum = UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xEDB8_8320 }
            tables[byte] = sum
        }
        for place in 256..<tables.count {
            let shorter = tables[place - 256]
            tables[place] = shorter >> 8 ^ tables[Int(shorter & 255)]
        }
        return tables
    }()
}
