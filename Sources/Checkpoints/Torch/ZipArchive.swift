import VernierCore

/// The table of contents of a zip archive in memory, checked; the entries' contents are not touched until asked for.
///
/// Only what `torch.save` writes is read: stored entries (no compression, no encryption), one disk, zip64 where sizes
/// need it. Checked when it is opened: the end records, every field of the central directory that is used, distinct
/// names, and that no two entries overlap. An entry's own header is checked when its content is asked for. Check sums
/// are not verified (torch does not either, and it would read all weights): `weightsDigest(of:)` tells content.
///
/// Source: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.5.3.
struct ZipArchive: @unchecked Sendable {  // the bytes are never written
    /// The most entries that an archive may have; one of torch's has one a storage.
    static let maximumEntryCount = 1_000_000
    /// The length of a directory entry's fixed part.
    static let directoryEntryByteCount = 46

    /// The archive's file name, for messages.
    let name: String
    /// All entries by name, in no order.
    let entries: [String: ZipEntry]
    /// The archive's size in bytes.
    var byteCount: Int { bytes.count }

    private let bytes: UnsafeRawBufferPointer
    /// What keeps the bytes valid.
    let owner: AnyObject

    private static let directorySignature: UInt32 = 0x0201_4B50
    private static let headerSignature: UInt32 = 0x0403_4B50

    /// Reads the directory of the archive `bytes`, which `owner` keeps valid.
    init(_ bytes: UnsafeRawBufferPointer, owner: AnyObject, name: String) throws {
        self.name = name
        self.bytes = bytes
        self.owner = owner
        entries = try withExtendedLifetime(owner) {
            let location = try ZipDirectoryLocation(bytes, name: name)
            guard location.entryCount <= Self.maximumEntryCount else {
                throw Self.damaged(
                    name, expected: "at most \(Self.maximumEntryCount) entries", found: "\(location.entryCount)")
            }
            return try Self.entries(bytes, location, name)
        }
    }

    /// The content of an entry of this archive, without a copy. Valid as long as the owner lives.
    ///
    /// Throws if the entry's own header contradicts the directory or its content would run into something else.
    func content(of entry: ZipEntry) throws -> UnsafeRawBufferPointer {
        try withExtendedLifetime(owner) {
            let start = entry.headerOffset
            guard bytes.littleEndian(UInt32.self, at: start) == Self.headerSignature,
                let flags = bytes.littleEndian(UInt16.self, at: start + 6),
                let method = bytes.littleEndian(UInt16.self, at: start + 8),
                let ownCount = bytes.littleEndian(UInt32.self, at: start + 22),
                let nameByteCount = bytes.littleEndian(UInt16.self, at: start + 26),
                let extraByteCount = bytes.littleEndian(UInt16.self, at: start + 28)
            else { throw Self.damaged(place(entry), expected: "an entry at byte \(start)", found: "none there") }
            let nameStart = start + ZipEntry.headerByteCount
            let extraStart = nameStart + Int(nameByteCount)
            let dataStart = extraStart + Int(extraByteCount)
            guard entry.byteCount <= entry.limit - dataStart,
                let data = bytes.part(dataStart..<dataStart + entry.byteCount),
                let ownName = bytes.part(nameStart..<extraStart)
            else {
                throw Self.damaged(
                    place(entry), expected: "\(entry.byteCount) bytes between byte \(dataStart) and \(entry.limit)",
                    found: "room for \(max(0, entry.limit - dataStart))")
            }
            // With bit 3 the sizes stand after the content and are 0 here, as torch writes them.
            let isCountRight = flags & 1 << 3 != 0 || ownCount == UInt32.max || Int(ownCount) == entry.byteCount
            guard method == 0, flags & Self.refusedFlags == 0, isCountRight,
                String(decoding: ownName, as: UTF8.self) == entry.name
            else {
                throw Self.damaged(
                    place(entry), expected: "an entry's header that agrees with the directory", found: "another one")
            }
            return data
        }
    }

    /// Where an entry is, for messages: `model.pth, entry "archive/data/0"`.
    func place(_ entry: ZipEntry) -> String { "\(name), entry \(JSONValue.quoted(entry.name))" }

    static func damaged(_ place: String, expected: String, found: String) -> VernierError {
        VernierError(
            .malformedFile, at: place, expected: expected, found: found,
            remedy: "The file is damaged, incomplete or not as torch.save writes it; fetch or save it again.")
    }

    // MARK: The directory

    /// Encryption (bits 0, 6 and 13) and patches (bit 5).
    private static let refusedFlags: UInt16 = 1 | 1 << 5 | 1 << 6 | 1 << 13

    private static func entries(
        _ bytes: UnsafeRawBufferPointer, _ location: ZipDirectoryLocation, _ name: String
    ) throws -> [String: ZipEntry] {
        guard let directory = bytes.part(location.bytes) else {
            throw damaged(name, expected: "a directory inside the file", found: "one at \(location.bytes)")
        }
        var list: [ZipEntry] = []
        list.reserveCapacity(location.entryCount)
        var position = 0
        for _ in 0..<location.entryCount {
            let (entry, next) = try self.entry(directory, at: position, name)
            guard entry.headerOffset < location.bytes.lowerBound else {
                throw damaged(
                    name, expected: "entries before the directory at byte \(location.bytes.lowerBound)",
                    found: "\(JSONValue.quoted(entry.name)) at byte \(entry.headerOffset)")
            }
            list.append(entry)
            position = next
        }
        guard position == directory.count else {
            throw damaged(
                name, expected: "\(location.entryCount) entries in \(directory.count) bytes of directory",
                found: "\(position) bytes of them")
        }
        list.sort { ($0.headerOffset, $0.name) < ($1.headerOffset, $1.name) }
        var entries = [String: ZipEntry](minimumCapacity: list.count)
        for index in list.indices {
            list[index].limit = index + 1 < list.count ? list[index + 1].headerOffset : location.bytes.lowerBound
            let entry = list[index]
            let room = entry.limit - entry.headerOffset - ZipEntry.headerByteCount - entry.nameByteCount
            guard entry.byteCount <= room else {
                throw damaged(
                    name,
                    expected: "\(entry.byteCount) bytes of \(JSONValue.quoted(entry.name)) from byte "
                        + "\(entry.headerOffset) on",
                    found: "something else at byte \(entry.limit): entries overlap or the file is cut short")
            }
            guard entries.updateValue(entry, forKey: entry.name) == nil else {
                throw damaged(name, expected: "distinct entries", found: "\(JSONValue.quoted(entry.name)) twice")
            }
        }
        return entries
    }

    /// The directory entry at `position`, and where the next one begins.
    private static func entry(
        _ directory: UnsafeRawBufferPointer, at position: Int, _ name: String
    ) throws -> (ZipEntry, next: Int) {
        guard directory.littleEndian(UInt32.self, at: position) == directorySignature,
            let flags = directory.littleEndian(UInt16.self, at: position + 8),
            let method = directory.littleEndian(UInt16.self, at: position + 10),
            let storedCount = directory.littleEndian(UInt32.self, at: position + 20),
            let count = directory.littleEndian(UInt32.self, at: position + 24),
            let nameByteCount = directory.littleEndian(UInt16.self, at: position + 28),
            let extraByteCount = directory.littleEndian(UInt16.self, at: position + 30),
            let commentByteCount = directory.littleEndian(UInt16.self, at: position + 32),
            let disk = directory.littleEndian(UInt16.self, at: position + 34),
            let offset = directory.littleEndian(UInt32.self, at: position + 42)
        else {
            throw damaged(name, expected: "an entry at byte \(position) of the directory", found: "none there")
        }
        let nameStart = position + directoryEntryByteCount
        let extraStart = nameStart + Int(nameByteCount)
        let commentStart = extraStart + Int(extraByteCount)
        let next = commentStart + Int(commentByteCount)
        guard next <= directory.count, let nameBytes = directory.part(nameStart..<extraStart),
            let extra = directory.part(extraStart..<commentStart)
        else {
            throw damaged(
                name, expected: "an entry of \(next - position) bytes at byte \(position) of the directory",
                found: "\(directory.count - position) bytes")
        }
        let entryName = String(decoding: nameBytes, as: UTF8.self)
        let place = "\(name), entry \(JSONValue.quoted(entryName))"
        guard flags & refusedFlags == 0 else {
            throw damaged(place, expected: "a plain entry", found: "an encrypted or patched one")
        }
        var sizes = Zip64Sizes(count: count, storedCount: storedCount, offset: offset, disk: disk)
        try sizes.widen(from: extra, place: place)
        guard method == 0, sizes.count == sizes.storedCount else {
            throw VernierError(
                .malformedFile, at: place, expected: "a stored entry",
                found: method == 0
                    ? "\(sizes.storedCount) bytes for \(sizes.count)" : "a compressed one (method \(method))",
                remedy: "torch.save never compresses: load the file with torch.load and save it again.")
        }
        guard let byteCount = Int(exactly: sizes.count), let headerOffset = Int(exactly: sizes.offset),
            sizes.disk == 0
        else {
            throw damaged(
                place, expected: "a size and an offset below 2^63 bytes",
                found: "\(sizes.count) bytes at byte \(sizes.offset)")
        }
        let entry = ZipEntry(
            name: entryName, nameByteCount: Int(nameByteCount), headerOffset: headerOffset, byteCount: byteCount,
            limit: 0)
        return (entry, next)
    }
}
