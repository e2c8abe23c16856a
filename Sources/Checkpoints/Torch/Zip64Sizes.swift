import VernierCore

/// The sizes and the place of a zip entry, which the fixed fields of the directory hold only up to 32 bits.
///
/// A field of all ones says that the number stands in the extra field 0x0001, which holds just those numbers, in this
/// order. Source: PKWARE APPNOTE 6.3.10, section 4.5.3.
struct Zip64Sizes {
    /// The content's size.
    private(set) var count: UInt64
    /// The size it takes in the archive.
    private(set) var storedCount: UInt64
    /// Where the entry's header stands.
    private(set) var offset: UInt64
    /// The number of the disk that it begins on.
    private(set) var disk: UInt32

    init(count: UInt32, storedCount: UInt32, offset: UInt32, disk: UInt16) {
        self.count = UInt64(count)
        self.storedCount = UInt64(storedCount)
        self.offset = UInt64(offset)
        self.disk = UInt32(disk)
    }

    /// Replaces saturated numbers by those of the extra fields `extra`; throws if a field or a number is missing.
    mutating func widen(from extra: UnsafeRawBufferPointer, place: String) throws {
        var position = 0
        var wide: UnsafeRawBufferPointer?
        while position < extra.count {
            guard let kind = extra.littleEndian(UInt16.self, at: position),
                let byteCount = extra.littleEndian(UInt16.self, at: position + 2),
                let field = extra.part(position + 4..<position + 4 + Int(byteCount))
            else { throw ZipArchive.damaged(place, expected: "whole extra fields", found: "part of one") }
            if kind == 1 {
                guard wide == nil else {
                    throw ZipArchive.damaged(place, expected: "one zip64 field", found: "two")
                }
                wide = field
            }
            position += 4 + Int(byteCount)
        }
        let field = wide ?? UnsafeRawBufferPointer(start: nil, count: 0)
        var next = 0
        func take<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) throws -> Number {
            guard let number = field.littleEndian(type, at: next) else {
                throw ZipArchive.damaged(
                    place, expected: "a zip64 field with all numbers beyond 32 bits", found: "\(field.count) bytes")
            }
            next += MemoryLayout<Number>.size
            return number
        }
        if count == UInt32.max { count = try take(UInt64.self) }
        if storedCount == UInt32.max { storedCount = try take(UInt64.self) }
        if offset == UInt32.max { offset = try take(UInt64.self) }
        if disk == UInt16.max { disk = try take(UInt32.self) }
    }
}
