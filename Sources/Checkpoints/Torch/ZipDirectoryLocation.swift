import VernierCore

/// Where a zip archive's central directory stands, from the records at the archive's end.
///
/// Source: PKWARE APPNOTE 6.3.10, sections 4.3.14 to 4.3.16. Stricter than it: one disk, the directory directly before
/// the end records, the records at the very end of the file, and both end records in agreement wherever the old one
/// has room for the number.
struct ZipDirectoryLocation {
    /// The number of entries that the directory must have.
    let entryCount: Int
    /// The directory's bytes.
    let bytes: Range<Int>

    private static let endByteCount = 22
    private static let locatorByteCount = 20
    private static let end64ByteCount = 56
    private static let endSignature: UInt32 = 0x0605_4B50
    private static let locatorSignature: UInt32 = 0x0706_4B50
    private static let end64Signature: UInt32 = 0x0606_4B50

    /// The numbers of an end record.
    private struct Counts {
        var entries: UInt64
        var byteCount: UInt64
        var offset: UInt64
    }

    /// Reads the end records of `archive`; `name` is the file's name for messages.
    init(_ archive: UnsafeRawBufferPointer, name: String) throws {
        let end = try Self.endOffset(archive, name)
        let old = try Self.counts(archive, at: end, name)
        var counts = old
        var recordsStart = end
        let locator = end - Self.locatorByteCount
        if archive.littleEndian(UInt32.self, at: locator) == Self.locatorSignature {
            (counts, recordsStart) = try Self.counts64(archive, locator: locator, name)
            try Self.check(old.entries, counts.entries, saturated: 0xFFFF, "entries", name)
            try Self.check(old.byteCount, counts.byteCount, saturated: 0xFFFF_FFFF, "bytes of directory", name)
            try Self.check(old.offset, counts.offset, saturated: 0xFFFF_FFFF, "as the directory's offset", name)
        }
        let (directoryEnd, overflow) = counts.offset.addingReportingOverflow(counts.byteCount)
        guard !overflow, directoryEnd == UInt64(recordsStart) else {
            throw ZipArchive.damaged(
                name, expected: "a directory that ends at byte \(recordsStart)",
                found: "one of \(counts.byteCount) bytes from byte \(counts.offset)")
        }
        bytes = Int(counts.offset)..<recordsStart
        // Each entry of the directory has at least 46 bytes: a larger number is a lie, and is not believed below.
        guard counts.entries <= UInt64(bytes.count / ZipArchive.directoryEntryByteCount) else {
            throw ZipArchive.damaged(
                name, expected: "a directory with room for its \(counts.entries) entries",
                found: "one of \(bytes.count) bytes")
        }
        entryCount = Int(counts.entries)
    }

    /// Finds the end record: the last place with its signature whose comment ends where the file ends.
    private static func endOffset(_ archive: UnsafeRawBufferPointer, _ name: String) throws -> Int {
        let longestComment = Int(UInt16.max)
        var offset = archive.count - endByteCount
        let last = max(0, offset - longestComment)
        while offset >= last {
            if archive.littleEndian(UInt32.self, at: offset) == endSignature,
                let comment = archive.littleEndian(UInt16.self, at: offset + 20),
                offset + endByteCount + Int(comment) == archive.count
            {
                return offset
            }
            offset -= 1
        }
        throw ZipArchive.damaged(name, expected: "the end record of a zip file", found: "none: the file is cut short")
    }

    private static func counts(_ archive: UnsafeRawBufferPointer, at end: Int, _ name: String) throws -> Counts {
        guard let disks = archive.littleEndian(UInt32.self, at: end + 4),
            let entriesHere = archive.littleEndian(UInt16.self, at: end + 8),
            let entries = archive.littleEndian(UInt16.self, at: end + 10),
            let byteCount = archive.littleEndian(UInt32.self, at: end + 12),
            let offset = archive.littleEndian(UInt32.self, at: end + 16)
        else { throw ZipArchive.damaged(name, expected: "a whole end record", found: "part of one") }
        guard disks == 0, entriesHere == entries else { throw severalDisks(name) }
        return Counts(entries: UInt64(entries), byteCount: UInt64(byteCount), offset: UInt64(offset))
    }

    /// The zip64 end record, and where it begins.
    private static func counts64(
        _ archive: UnsafeRawBufferPointer, locator: Int, _ name: String
    ) throws -> (Counts, recordStart: Int) {
        guard let disk = archive.littleEndian(UInt32.self, at: locator + 4),
            let wideOffset = archive.littleEndian(UInt64.self, at: locator + 8),
            let diskCount = archive.littleEndian(UInt32.self, at: locator + 16)
        else { throw ZipArchive.damaged(name, expected: "a whole zip64 locator", found: "part of one") }
        guard disk == 0, diskCount <= 1 else { throw severalDisks(name) }
        guard let offset = Int(exactly: wideOffset), offset <= locator - end64ByteCount,
            archive.littleEndian(UInt32.self, at: offset) == end64Signature,
            let restByteCount = archive.littleEndian(UInt64.self, at: offset + 4),
            restByteCount >= 44, restByteCount == UInt64(locator - offset - 12),
            let disks = archive.littleEndian(UInt64.self, at: offset + 16),
            let entriesHere = archive.littleEndian(UInt64.self, at: offset + 24),
            let entries = archive.littleEndian(UInt64.self, at: offset + 32),
            let byteCount = archive.littleEndian(UInt64.self, at: offset + 40),
            let directoryOffset = archive.littleEndian(UInt64.self, at: offset + 48)
        else {
            throw ZipArchive.damaged(
                name, expected: "a zip64 end record that ends at byte \(locator)",
                found: "none at byte \(wideOffset), where the locator points")
        }
        guard disks == 0, entriesHere == entries else { throw severalDisks(name) }
        return (Counts(entries: entries, byteCount: byteCount, offset: directoryOffset), offset)
    }

    private static func check(
        _ old: UInt64, _ wide: UInt64, saturated: UInt64, _ what: String, _ name: String
    ) throws {
        guard old == wide || old == saturated else {
            throw ZipArchive.damaged(
                name, expected: "end records that agree", found: "\(old) \(what), and \(wide) in the zip64 record")
        }
    }

    private static func severalDisks(_ name: String) -> VernierError {
        ZipArchive.damaged(name, expected: "a zip file in one piece", found: "a part of one on several disks")
    }
}
