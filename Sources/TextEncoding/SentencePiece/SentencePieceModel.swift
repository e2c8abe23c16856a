import CSentencePiece
import VernierCore

/// A loaded SentencePiece model. Encoding does not change it, so threads may share it.
final class SentencePieceModel: @unchecked Sendable {
    /// The file's name, for messages.
    let name: String
    private let model: OpaquePointer

    /// Loads the file at `path`.
    ///
    /// Throws ``VernierError/Code/fileAccess`` or ``VernierError/Code/malformedFile``.
    convenience init(path: String) throws {
        let file = try MappedFile(path: path)
        defer { withExtendedLifetime(file) {} }
        try self.init(file.bytes, name: file.name)
    }

    /// Loads a serialised model; `name` is for messages.
    init(_ bytes: UnsafeRawBufferPointer, name: String) throws {
        var loaded: OpaquePointer?
        var message: UnsafeMutablePointer<CChar>?
        // The library follows a damaged character map out of its memory: look before it does.
        let isSound = !bytes.isEmpty && CharacterMap.areSound(inModel: bytes)
        guard isSound, vsp_load(bytes.baseAddress, bytes.count, &loaded, &message) == 0, let loaded else {
            throw VernierError(
                .malformedFile, at: name, expected: "a SentencePiece model",
                found: Self.take(message)
                    ?? (bytes.isEmpty ? "an empty file" : "a damaged one or another kind of file"),
                remedy: "Fetch the file again.")
        }
        self.name = name
        model = loaded
    }

    deinit { vsp_free_model(model) }

    /// The number of pieces.
    var pieceCount: Int { Int(vsp_piece_count(model)) }
    /// The id of the padding token; negative if there is none.
    var padID: Int32 { vsp_pad_id(model) }
    /// The id of the end of a text; negative if there is none.
    var endID: Int32 { vsp_end_id(model) }
    /// The id of unknown pieces.
    var unknownID: Int32 { vsp_unknown_id(model) }

    /// The ids of `text`, normalised and cut as the model says, without a start or an end.
    func encode(_ text: some StringProtocol) throws -> [Int32] {
        var text = String(text)
        return try text.withUTF8 { utf8 in
            try utf8.withMemoryRebound(to: CChar.self) { characters in
                var ids: UnsafeMutablePointer<Int32>?
                var count = 0
                var message: UnsafeMutablePointer<CChar>?
                guard vsp_encode(model, characters.baseAddress, characters.count, &ids, &count, &message) == 0 else {
                    throw VernierError(
                        .malformedFile, at: name,
                        problems: ["the text cannot be encoded: \(Self.take(message) ?? "no reason given")"])
                }
                defer { vsp_free_ids(ids) }
                return Array(UnsafeBufferPointer(start: ids, count: count))
            }
        }
    }

    private static func take(_ message: UnsafeMutablePointer<CChar>?) -> String? {
        guard let message else { return nil }
        defer { vsp_free_text(message) }
        return String(cString: message)
    }
}
