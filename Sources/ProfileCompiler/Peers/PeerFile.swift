import VernierCore

/// A JSON file of another project: its parsed text, and what a profile's provenance says of it.
struct PeerFile {
    /// The file's name, without its folders.
    let name: String
    /// SHA-256 of its bytes.
    let digest: String
    /// The root of its text.
    let root: JSONCursor

    /// The largest file that is read: a hundred times the released ones.
    private static let largestBytes = 1 << 26

    /// Reads and parses the file at `path`.
    ///
    /// Throws ``VernierError/Code/fileAccess``, and ``VernierError/Code/malformedFile`` for what is no JSON or too large.
    init(path: String) throws {
        let file = try MappedFile(path: path)
        guard file.count <= Self.largestBytes else {
            throw VernierError(
                .malformedFile, at: file.name, expected: "a file of at most \(Self.largestBytes) bytes",
                found: "\(file.count) bytes")
        }
        name = file.name
        digest = file.withBytes { Digest.of($0) }
        root = JSONCursor(
            try file.withBytes { try JSONValue.parse($0, name: file.name, maximumDepth: 16) }, place: file.name)
    }

    /// A file that was never written, for numbers that are kept in another form.
    init(name: String, text: String) throws {
        self.name = name
        digest = Digest.of(Array(text.utf8))
        root = JSONCursor(try JSONValue.parse(text, name: name, maximumDepth: 16), place: name)
    }
}
