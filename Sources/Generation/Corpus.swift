import VernierCore

/// The prompts of a corpus file: one JSON object a line, `{"prompt": "...", "scene": {...}}`, or `{"class": 207}` for a
/// class-conditional model. A text may come with a `negative_prompt` that guidance leads away from.
///
/// `scene` may be absent; it is kept as it stands for scorers that know what a picture should show. The file is strict:
/// another key, an empty line, an empty prompt or a line beyond ``longestLineBytes`` is refused with its line number.
/// The last line may or may not end in a newline.
public struct Corpus: Sendable, Hashable {
    /// The longest line, in bytes without the newline.
    public static let longestLineBytes = 64 * 1024

    /// The file's name without its folders.
    public let fileName: String
    /// SHA-256 over the file's bytes, in lower-case hexadecimal.
    public let digest: String
    /// The prompts in the order of the file; at least one.
    public let prompts: [CorpusPrompt]

    init(fileName: String, digest: String, prompts: [CorpusPrompt]) {
        self.fileName = fileName
        self.digest = digest
        self.prompts = prompts
    }

    /// Reads a corpus file.
    ///
    /// Throws ``VernierError/Code/fileAccess``, ``VernierError/Code/emptyInput`` for a file without prompts, and
    /// ``VernierError/Code/malformedFile`` at `name, line n` (lines count from 1).
    public init(path: String) throws {
        let file = try MappedFile(path: path)
        self = try file.withBytes { try Corpus(bytes: $0, fileName: file.name) }
    }

    /// Reads a corpus from bytes; see ``init(path:)``.
    public init(bytes: UnsafeRawBufferPointer, fileName: String) throws {
        self.fileName = fileName
        digest = Digest.of(bytes)
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard !lines.isEmpty else {
            throw VernierError(
                .emptyInput, at: fileName, expected: "at least one prompt", found: "none",
                remedy: "Write one JSON object a line: {\"prompt\": \"...\"}.")
        }
        prompts = try lines.enumerated().map { index, line in
            try Self.prompt(UnsafeRawBufferPointer(rebasing: line), index: index, fileName: fileName)
        }
    }

    /// Reads one line.
    private static func prompt(
        _ line: UnsafeRawBufferPointer, index: Int, fileName: String
    ) throws -> CorpusPrompt {
        let place = "\(fileName), line \(index + 1)"
        guard line.count <= longestLineBytes else {
            throw VernierError(
                .malformedFile, at: place, expected: "at most \(longestLineBytes) bytes", found: "\(line.count)")
        }
        let cursor = JSONCursor(try parse(line, place: place), place: place)
        try cursor.requireOnly(keys: ["prompt", "negative_prompt", "class", "scene"])
        let scene = try cursor.optionalMember("scene")
        _ = try scene?.object()
        return CorpusPrompt(
            index: index, subject: try subject(cursor), negative: try negative(cursor), scene: scene?.value)
    }

    /// Reads the text or the class; there must be one of them.
    private static func subject(_ cursor: JSONCursor) throws -> CorpusPrompt.Subject {
        if let imageClass = try cursor.optionalMember("class") {
            guard try cursor.optionalMember("prompt") == nil else {
                throw cursor.error(expected: "a prompt or a class", found: "both")
            }
            return .imageClass(try imageClass.integer(in: 0...Int(Int32.max)))
        }
        return .text(try text(cursor.member("prompt"), expected: "a text to draw"))
    }

    /// Reads the negative prompt, which a class cannot have.
    private static func negative(_ cursor: JSONCursor) throws -> String? {
        guard let negative = try cursor.optionalMember("negative_prompt") else { return nil }
        guard try cursor.optionalMember("class") == nil else {
            throw negative.error(expected: "none beside a class", found: negative.value.summary)
        }
        return try text(negative, expected: "a text, or no negative prompt")
    }

    private static func text(_ cursor: JSONCursor, expected: String) throws -> String {
        let text = try cursor.string()
        guard !text.isEmpty else { throw cursor.error(expected: expected, found: "an empty one") }
        return text
    }

    /// Parses one line; errors name the line of the file and the column.
    private static func parse(_ line: UnsafeRawBufferPointer, place: String) throws -> JSONValue {
        do {
            return try JSONValue.parse(line, name: "")
        } catch let error as VernierError {
            // The parser knows of one line only: ", line 1, column 7".
            let column = error.place.split(separator: ",").last.map { ",\($0)" } ?? ""
            throw VernierError(error.code, at: place + column, problems: error.problems, remedy: error.remedy)
        }
    }
}
