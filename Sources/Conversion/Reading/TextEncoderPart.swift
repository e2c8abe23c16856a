import Checkpoints
import TextEncoding
import VernierCore

/// A T5 encoder with the files beside its weights.
struct TextEncoderPart {
    /// A tensor that only a T5 encoder has.
    static let anchor = "encoder.block.0.layer.0.SelfAttention.q.weight"
    /// Where it comes from.
    static let remedy = "Fetch google/flan-t5-xl: its safetensors, config.json and spiece.model, in one folder."
    private static let table = "shared.weight"
    private static let tableAlias = "encoder.embed_tokens.weight"

    let part: FoundPart
    /// The paths of `config.json` and of the SentencePiece model.
    let configurationPath: String
    let piecesPath: String
    /// What `config.json` says.
    let configuration: T5Configuration

    /// Checks the weights, `config.json` and the SentencePiece model against each other.
    ///
    /// Throws ``VernierError/Code/fileAccess`` naming what is missing beside the weights, ``VernierError/Code/mismatch``,
    /// and as ``T5Configuration/init(path:)`` and ``TextTokenizer`` do.
    init(_ part: FoundPart, pieces: String?) throws {
        self.part = part
        let folder = part.source.folder
        configurationPath = "\(folder)/config.json"
        piecesPath = pieces ?? "\(folder)/spiece.model"
        let missing = [configurationPath, piecesPath].filter { FileIdentity(path: $0) == nil }
        guard missing.isEmpty else {
            throw VernierError(
                .fileAccess, at: part.label, expected: "config.json and spiece.model beside the text encoder's weights",
                found: "no \(missing.map(fileName).joined(separator: ", no ")) in '\(folder)'", remedy: Self.remedy)
        }
        configuration = try T5Configuration(path: configurationPath)
        try PartShapes(part).check(.t5Encoder(configuration), computed: ["encoder.block."]) {
            $0 == Self.table ? Self.tableAlias : nil
        }
        _ = try TextTokenizer(path: piecesPath, embeddingRows: configuration.idCount)
    }

    /// The names of the tensors that drawing needs.
    var names: [String] {
        let names = part.names.filter(ModelPart.isNeededOfTextEncoder)
        return names.contains(Self.table) ? names.filter { $0 != Self.tableAlias } : names
    }
}
