/// A zip archive put together from parts, each of which can be made to lie.
struct ZipText: Sendable {
    struct Entry: Sendable {
        var name: String
        var content: [UInt8]
        /// What the directory and the entry's own header say; the truth unless set.
        var method: UInt16 = 0
        var flags: UInt16 = 0x0800
        var count: UInt32?
        var storedCount: UInt32?
        var offset: UInt32?
        var ownName: String?
        var ownMethod: UInt16?
        var ownCount: UInt32?
        var extra: [UInt8] = []
        var ownExtra: [UInt8] = []
        var ownExtraByteCount: UInt16?
        var comment: [UInt8] = []
        var disk: UInt16 = 0
        var signature: UInt32 = 0x0201_4B50
        var ownSignature: UInt32 = 0x0403_4B50
    }

    /// The numbers of an end record.
    struct End {
        var entries: UInt64
        var byteCount: UInt64
        var offset: UInt64
    }

    var entries: [Entry]
    /// Bytes between the last entry and the directory.
    var gap: [UInt8] = []
    var comment: [UInt8] = []
    var commentByteCount: UInt16?
    var disks: UInt32 = 0
    /// Changes the old end record.
    var end: @Sendable (inout End) -> Void = { _ in }
    /// Writes a zip64 end record too, with these changes.
    var end64: (@Sendable (inout End) -> Void)?
    var locatorOffset: UInt64?
    var end64ByteCount: UInt64 = 44
    var end64Signature: UInt32 = 0x0606_4B50

    init(_ entries: [Entry]) { self.entries = entries }

    /// A torch file with that pickle and those storages.
    init(pickle: [UInt8], storages: [(key: String, content: [UInt8])] = [], prefix: String = "archive/") {
        entries =
            [Entry(name: "\(prefix)data.pkl", content: pickle)]
            + storages.map { Entry(name: "\(prefix)data/\($0.key)", content: $0.content) }
            + [Entry(name: "\(prefix)version", content: Array("3\n".utf8))]
    }

    var bytes: [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let start = UInt32(file.count)
            let ownName = entry.ownName ?? entry.name
            file += Self.little(entry.ownSignature) + Self.little(20 as UInt16) + Self.little(entry.flags)
            file += Self.little(entry.ownMethod ?? entry.method) + [0, 0, 0, 0, 0, 0, 0, 0]
            file += Self.little(UInt32(entry.content.count))
            file += Self.little(entry.ownCount ?? UInt32(entry.content.count)) + Self.little(UInt16(ownName.utf8.count))
            file += Self.little(entry.ownExtraByteCount ?? UInt16(entry.ownExtra.count))
            file += Array(ownName.utf8) + entry.ownExtra + entry.content
            directory += Self.little(entry.signature) + Self.little(20 as UInt16) + Self.little(20 as UInt16)
            directory += Self.little(entry.flags) + Self.little(entry.method) + [0, 0, 0, 0, 0, 0, 0, 0]
            directory += Self.little(entry.storedCount ?? entry.count ?? UInt32(entry.content.count))
            directory += Self.little(entry.count ?? UInt32(entry.content.count))
            directory += Self.little(UInt16(entry.name.utf8.count)) + Self.little(UInt16(entry.extra.count))
            directory += Self.little(UInt16(entry.comment.count)) + Self.little(entry.disk) + [0, 0, 0, 0, 0, 0]
            directory += Self.little(entry.offset ?? start) + Array(entry.name.utf8) + entry.extra + entry.comment
        }
        file += gap
        let truth = End(
            entries: UInt64(entries.count), byteCount: UInt64(directory.count), offset: UInt64(file.count))
        file += directory
        if let end64 {
            let start = UInt64(file.count)
            var wide = truth
            end64(&wide)
            file += Self.little(end64Signature) + Self.little(end64ByteCount) + Self.little(45 as UInt32)
            file += Self.little(UInt64(disks)) + Self.little(wide.entries) + Self.little(wide.entries)
            file += Self.little(wide.byteCount) + Self.little(wide.offset)
            file += Self.little(0x0706_4B50 as UInt32) + Self.little(0 as UInt32)
            file += Self.little(locatorOffset ?? start) + Self.little(1 as UInt32)
        }
        var old = truth
        end(&old)
        file += Self.little(0x0605_4B50 as UInt32) + Self.little(disks)
        file +=
            Self.little(UInt16(truncatingIfNeeded: old.entries)) + Self.little(UInt16(truncatingIfNeeded: old.entries))
        file += Self.little(UInt32(truncatingIfNeeded: old.byteCount))
        file += Self.little(UInt32(truncatingIfNeeded: old.offset))
        return file + Self.little(commentByteCount ?? UInt16(comment.count)) + comment
    }

    static func little(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    /// The extra field of zip64.
    static func wide(_ numbers: [UInt64]) -> [UInt8] {
        little(1 as UInt16) + little(UInt16(8 * numbers.count)) + numbers.flatMap { little($0) }
    }
}
