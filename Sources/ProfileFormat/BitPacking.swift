/// Packs whole numbers into bits, lowest bit first.
struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var pending: UInt64 = 0
    private var pendingBits = 0

    /// Appends the lowest `width` bits of `value`; `width` is at most 32.
    mutating func append(_ value: Int, width: Int) {
        pending |= (UInt64(truncatingIfNeeded: value) & (1 << UInt64(width) - 1)) << UInt64(pendingBits)
        pendingBits += width
        while pendingBits >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: pending))
            pending >>= 8
            pendingBits -= 8
        }
    }

    /// Fills the last byte with zero bits.
    mutating func align() {
        guard pendingBits > 0 else { return }
        bytes.append(UInt8(truncatingIfNeeded: pending))
        pending = 0
        pendingBits = 0
    }
}

/// Reads what ``BitWriter`` wrote. Reading beyond the end gives zero bits: whoever reads checks the length beforehand.
struct BitReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var bit: Int

    /// Starts at a byte.
    init(_ bytes: UnsafeBufferPointer<UInt8>, byteOffset: Int) {
        self.bytes = bytes
        bit = byteOffset * 8
    }

    /// The next `width` bits without passing them; `width` is at most 32.
    @inline(__always)
    func peek(_ width: Int) -> Int {
        let byte = bit >> 3
        var word: UInt64 = 0
        if let base = bytes.baseAddress, byte + 8 <= bytes.count {
            word = UnsafeRawPointer(base + byte).loadUnaligned(as: UInt64.self).littleEndian
        } else {
            for index in byte..<max(byte, bytes.count) { word |= UInt64(bytes[index]) << UInt64(8 * (index - byte)) }
        }
        return Int(truncatingIfNeeded: word >> UInt64(bit & 7) & (1 << UInt64(width) - 1))
    }

    @inline(__always)
    mutating func skip(_ width: Int) { bit += width }

    @inline(__always)
    mutating func next(_ width: Int) -> Int {
        defer { skip(width) }
        return peek(width)
    }
}
