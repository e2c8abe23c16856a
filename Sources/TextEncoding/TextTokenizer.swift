import VernierCore

/// The tokeniser of the T5 family: SentencePiece pieces, T5's control tokens, an end token after every text.
///
/// Follows what Infinity's scripts get from `tokenizer.json`; two rare kinds of strings are cut differently there
/// (U+0085 as white space, and combining marks in a base character's cluster), because the SentencePiece library
/// normalises them in its own way. Padding is left to the caller: the encoder runs on real tokens only.
public struct TextTokenizer: Sendable {
    /// The id that pads texts to a common length.
    public static let padID: Int32 = 0
    /// The id after the last piece of every text.
    public static let endID: Int32 = 1
    /// The id of pieces that the model does not know.
    public static let unknownID: Int32 = 2
    /// The number of `<extra_id_N>` tokens of T5; they follow the model's pieces, `<extra_id_0>` last.
    public static let extraIDCount = 100

    /// The number of ids: the model's pieces and, where the encoder knows them, the extra ids.
    public let idCount: Int
    /// The most ids that ``encode(_:)`` returns, the end token included.
    public let maximumTokens: Int
    private let model: SentencePieceModel
    /// The control tokens that may stand in a text, as UTF-8.
    private let controlTokens: [(text: [UInt8], id: Int32)]

    /// Loads a `spiece.model`.
    ///
    /// `embeddingRows`, if given, is the number of ids that the text encoder knows. An encoder too small for the extra
    /// ids goes without them: `<extra_id_7>` in a text is then text like any other.
    ///
    /// Throws ``VernierError/Code/fileAccess``, ``VernierError/Code/malformedFile``, ``VernierError/Code/mismatch`` if
    /// its ids of padding, end and unknown are not T5's 0, 1 and 2 or if it has more pieces than `embeddingRows`, and
    /// ``VernierError/Code/invalidArgument`` for a `maximumTokens` below 1.
    public init(path: String, maximumTokens: Int = 512, embeddingRows: Int? = nil) throws {
        let model = try SentencePieceModel(path: path)
        let found = [model.padID, model.endID, model.unknownID]
        let expected = [Self.padID, Self.endID, Self.unknownID]
        guard found == expected else {
            throw VernierError(
                .mismatch, at: model.name, expected: "the ids \(expected) for padding, end and unknown",
                found: "\(found)",
                remedy: "Use the spiece.model of the T5 encoder that the image model was trained with.")
        }
        guard maximumTokens >= 1 else {
            throw VernierError(
                .invalidArgument, at: "text tokeniser", expected: "at least 1 token", found: "\(maximumTokens)")
        }
        let pieceCount = model.pieceCount
        let embeddingRows = embeddingRows ?? pieceCount + Self.extraIDCount
        guard pieceCount <= embeddingRows else {
            throw VernierError(
                .mismatch, at: model.name, expected: "at most the text encoder's \(embeddingRows) pieces",
                found: "\(pieceCount)",
                remedy: "Use the spiece.model that belongs to the text encoder.")
        }
        let extraIDCount = pieceCount + Self.extraIDCount <= embeddingRows ? Self.extraIDCount : 0
        self.model = model
        self.maximumTokens = maximumTokens
        idCount = pieceCount + extraIDCount
        let named = [("<pad>", Self.padID), ("</s>", Self.endID), ("<unk>", Self.unknownID)]
        let extra = (0..<extraIDCount).map { ("<extra_id_\($0)>", Int32(pieceCount + extraIDCount - 1 - $0)) }
        controlTokens = (named + extra).map { (Array($0.0.utf8), $0.1) }
    }

    /// The ids of `text`, ending in ``endID``.
    ///
    /// Control tokens written out in the text (`</s>`, `<pad>`, `<unk>`, `<extra_id_7>`) become their ids; what stands
    /// between them is encoded piece by piece. A text of more than ``maximumTokens`` ids loses its end, not its end
    /// token. The empty text gives the end token alone.
    public func encode(_ text: String) throws -> [Int32] {
        var ids: [Int32] = []
        let bytes = Array(text.utf8)
        var start = 0
        var position = 0
        while position < bytes.count {
            guard let token = controlToken(in: bytes, at: position) else {
                position += 1
                continue
            }
            try append(bytes[start..<position], to: &ids)
            ids.append(token.id)
            position += token.text.count
            start = position
        }
        try append(bytes[start...], to: &ids)
        return ids.prefix(maximumTokens - 1) + [Self.endID]
    }

    private func append(_ bytes: ArraySlice<UInt8>, to ids: inout [Int32]) throws {
        guard !bytes.isEmpty else { return }
        ids += try model.encode(String(decoding: bytes, as: UTF8.self))
    }

    /// The control token that begins at `position`. None is the beginning of another, so at most one does.
    private func controlToken(in bytes: [UInt8], at position: Int) -> (text: [UInt8], id: Int32)? {
        guard bytes[position] == UInt8(ascii: "<") else { return nil }
        return controlTokens.first { bytes[position...].starts(with: $0.text) }
    }
}
