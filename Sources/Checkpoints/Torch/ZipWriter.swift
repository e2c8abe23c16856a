/// Writes a zip archive of stored entries from front to back, each entry's content at a multiple of 64 bytes.
///
/// As torch's writer does: the alignment comes from an extra field `FB` filled with `Z`, times are zero, so that the
/// same contents give the same bytes. Unlike it, sizes and check sums stand in the entries' own headers, and zip64 records
/// are written only where a number needs them.
struct ZipWriter: ~Copyable {
    /// What the directory will say of an entry.
    private struct Written {
        let name: [UInt8]
        let checkSum: UInt32
        let byteCount: Int
        let offset: Int
    }

    private static let alignment = 64

    private var file: OutputFile
    private var entries: [Written] = []
    /// Whether zip64 fields are written also where they are not needed, for tests.
    private let alwaysZip64: Bool

    init(_ file: consuming OutputFile, alwaysZip64: Bool = false) {
        self.file = file
        self.alwaysZip64 = alwaysZip64
    }

    /// Appends an entry. Names are distinct and shorter than 2^16 bytes.
    mutating func add(_ name: String, _ content: UnsafeRawBufferPointer) throws {
        let entry = Written(
            name: Array(name.utf8), checkSum: CyclicRedundancyCheck.crc32(content), byteCount: content.count,
            offset: file.byteCount)
        let isWide = needsZip64(entry.byteCount)
        var header: [UInt8] = []
        header.append(littleEndian: 0x0403_4B50 as UInt32)
        header.append(littleEndian: Self.version(isWide))
        header.append(contentsOf: Self.fixed)
        header.append(littleEndian: entry.checkSum)
        for _ in 0..<2 { header.append(littleEndian: isWide ? UInt32.max : UInt32(entry.byteCount)) }
        header.append(littleEndian: UInt16(entry.name.count))
        let wideByteCount = isWide ? 20 : 0
        let unpadded = entry.offset + ZipEntry.headerByteCount + entry.name.count + wideByteCount + 4
        let padding = (Self.alignment - unpadded % Self.alignment) % Self.alignment
        header.append(littleEndian: UInt16(wideByteCount + 4 + padding))
        header.append(contentsOf: entry.name)
        if isWide { header.append(zip64: [entry.byteCount, entry.byteCount]) }
        header.append(contentsOf: Array("FB".utf8))
        header.append(littleEndian: UInt16(padding))
        header.append(contentsOf: repeatElement(UInt8(ascii: "Z"), count: padding))
        try file.write(header)
        try file.write(content)
        entries.append(entry)
    }

    /// Appends an entry.
    mutating func add(_ name: String, _ content: [UInt8]) throws { try content.withUnsafeBytes { try add(name, $0) } }

    /// Writes the directory and flushes the file.
    mutating func finish() throws {
        let start = file.byteCount
        var isWide = alwaysZip64 || entries.count >= Int(UInt16.max)
        var directory: [UInt8] = []
        for entry in entries {
            let wide = [entry.byteCount, entry.byteCount, entry.offset].filter { needsZip64($0) }
            isWide = isWide || !wide.isEmpty
            directory.append(littleEndian: 0x0201_4B50 as UInt32)
            for _ in 0..<2 { directory.append(littleEndian: Self.version(!wide.isEmpty)) }
            directory.append(contentsOf: Self.fixed)
            directory.append(littleEndian: entry.checkSum)
            for _ in 0..<2 { directory.append(littleEndian: narrow(entry.byteCount)) }
            directory.append(littleEndian: UInt16(entry.name.count))
            directory.append(littleEndian: UInt16(wide.isEmpty ? 0 : 4 + 8 * wide.count))
            directory.append(contentsOf: repeatElement(0, count: 10))  // comment, disk, attributes
            directory.append(littleEndian: narrow(entry.offset))
            directory.append(contentsOf: entry.name)
            if !wide.isEmpty { directory.append(zip64: wide) }
        }
        try file.write(directory)
        try file.write(endRecords(start, directory.count, isWide: isWide || needsZip64(start)))
        try file.synchronise()
    }

    private func endRecords(_ start: Int, _ byteCount: Int, isWide: Bool) -> [UInt8] {
        var records: [UInt8] = []
        if isWide {
            records.append(littleEndian: 0x0606_4B50 as UInt32)
            records.append(littleEndian: 44 as UInt64)
            for _ in 0..<2 { records.append(littleEndian: Self.version(true)) }
            records.append(littleEndian: 0 as UInt64)  // disks
            for number in [entries.count, entries.count, byteCount, start] {
                records.append(littleEndian: UInt64(number))
            }
            records.append(littleEndian: 0x0706_4B50 as UInt32)
            records.append(littleEndian: 0 as UInt32)
            records.append(littleEndian: UInt64(start + byteCount))
            records.append(littleEndian: 1 as UInt32)
        }
        records.append(littleEndian: 0x0605_4B50 as UInt32)
        records.append(littleEndian: 0 as UInt32)
        for _ in 0..<2 { records.append(littleEndian: alwaysZip64 ? .max : UInt16(clamping: entries.count)) }
        records.append(littleEndian: narrow(byteCount))
        records.append(littleEndian: narrow(start))
        records.append(littleEndian: 0 as UInt16)
        return records
    }

    /// UTF-8 names, no compression, no time: what stands in both headers.
    private static let fixed: [UInt8] = [0, 8, 0, 0, 0, 0, 0, 0]

    private static func version(_ isWide: Bool) -> UInt16 { isWide ? 45 : 20 }

    private func needsZip64(_ number: Int) -> Bool { alwaysZip64 || number >= Int(UInt32.max) }

    private func narrow(_ number: Int) -> UInt32 { needsZip64(number) ? .max : UInt32(number) }
}

extension [UInt8] {
    mutating func append(littleEndian number: some FixedWidthInteger & BitwiseCopyable) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends the extra field with numbers of 64 bits.
    fileprivate mutating func append(zip64 numbers: [Int]) {
        append(littleEndian: 1 as UInt16)
        append(littleEndian: UInt16(8 * numbers.count))
        for number in numbers { append(littleEndian: UInt64(number)) }
    }
}
