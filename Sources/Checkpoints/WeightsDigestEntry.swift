import VernierCore

/// One remembered digest, as its file holds it.
struct WeightsDigestEntry {
    private static let format = "vernier-weights-digest"
    private static let version = 1
    private static let keys = ["path", "device", "inode", "bytes", "modified_ns", "changed_ns"]

    /// The files, by their real paths, in the source's order.
    let files: [OpenedFile]
    /// 64 hexadecimal digits.
    let digest: String

    init(files: [OpenedFile], digest: String) {
        self.files = files
        self.digest = digest
    }

    /// Reads an entry; throws for anything that this version did not write.
    init(path: String) throws {
        let file = try MappedFile(path: path)
        let root = JSONCursor(try file.withBytes { try JSONValue.parse($0, name: file.name) }, place: file.name)
        try root.requireOnly(keys: ["format", "version", "files", "digest"])
        let digest = try root.member("digest")
        guard try root.member("format").string() == Self.format, try root.member("version").integer() == Self.version,
            try digest.string().utf8.count == 64,
            try digest.string().utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) })
        else { throw root.error(expected: "a remembered digest") }
        self.digest = try digest.string()
        files = try root.member("files").elements().map { cursor in
            try cursor.requireOnly(keys: Self.keys)
            func number(_ key: String) throws -> Int64 { Int64(try cursor.member(key).integer()) }
            return OpenedFile(
                path: try cursor.member("path").string(),
                identity: FileIdentity(
                    device: try number("device"), inode: try number("inode"), byteCount: try number("bytes"),
                    modifiedNanoseconds: try number("modified_ns"), changedNanoseconds: try number("changed_ns")))
        }
    }

    /// The entry as one line of JSON.
    var text: String {
        get throws {
            let files = files.map { file -> JSONValue in
                [
                    "path": .string(file.path), "device": .integer(file.identity.device),
                    "inode": .integer(file.identity.inode), "bytes": .integer(file.identity.byteCount),
                    "modified_ns": .integer(file.identity.modifiedNanoseconds),
                    "changed_ns": .integer(file.identity.changedNanoseconds),
                ]
            }
            let root: JSONValue = [
                "format": .string(Self.format), "version": .integer(Int64(Self.version)), "files": .array(files),
                "digest": .string(digest),
            ]
            return try root.canonicalLine()
        }
    }
}
