import VernierCore

/// The file of another project that a profile's numbers were taken from.
public struct ImportedSource: Sendable, Hashable {
    /// What the file was read as, for example `scalekv-json`.
    public let format: String
    /// The file's name, without its folders.
    public let fileName: String
    /// SHA-256 of the file's bytes, 64 lower-case hexadecimal digits.
    public let fileDigest: String
    /// Where the file comes from, for people: repository, commit, paper; empty if nobody said.
    public let origin: String

    /// Makes a record; it is checked when a profile is made of it.
    public init(format: String, fileName: String, fileDigest: String, origin: String = "") {
        self.format = format
        self.fileName = fileName
        self.fileDigest = fileDigest
        self.origin = origin
    }

    /// Everything that is out of range.
    var problems: [String] {
        var problems: [String] = []
        for (word, text) in [("format", format), ("file name", fileName)]
        where text.isEmpty || text.utf8.count > FormatLimits.nameBytes {
            problems.append(
                "provenance: expected a source's \(word) of 1 to \(FormatLimits.nameBytes) bytes, "
                    + "found \(text.utf8.count)")
        }
        if origin.utf8.count > FormatLimits.originBytes {
            problems.append(
                "provenance: expected an origin of at most \(FormatLimits.originBytes) bytes, "
                    + "found \(origin.utf8.count)")
        }
        if let problem = DigestText.problem("provenance: file digest", fileDigest) { problems.append(problem) }
        return problems
    }

    var jsonValue: JSONValue {
        [
            "fileDigest": .string(fileDigest), "fileName": .string(fileName), "format": .string(format),
            "origin": .string(origin),
        ]
    }

    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["fileDigest", "fileName", "format", "origin"])
        self.init(
            format: try cursor.member("format").string(), fileName: try cursor.member("fileName").string(),
            fileDigest: try cursor.member("fileDigest").string(), origin: try cursor.member("origin").string())
    }
}
