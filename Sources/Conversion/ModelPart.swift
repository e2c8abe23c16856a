import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What the parts of a model directory have, and need, of a checkpoint.
enum ModelPart {
    /// Room on the disk for everything that is no tensor: headers, pickles, the SentencePiece model.
    static let spareBytes = 64 << 20

    /// Whether drawing needs a tensor of an image tokeniser, by its official name: the encoder, the layer after it and
    /// the statistics of its training are of no use.
    static func isNeededOfImageTokenizer(_ name: String) -> Bool {
        ["decoder.", "post_quant_conv.", "quantize.embedding.", "quantize.quant_resi."].contains {
            name.hasPrefix($0)
        }
    }

    /// Whether drawing needs a tensor of a T5 model, by its Hugging Face name: the decoder and the language model's head
    /// are of no use.
    static func isNeededOfTextEncoder(_ name: String) -> Bool {
        name == "shared.weight" || name.hasPrefix("encoder.")
    }

    /// Makes a folder in one that is being written. Throws ``VernierError/Code/fileAccess``.
    static func makeFolder(_ path: String) throws {
        guard mkdir(path, 0o755) == 0 else {
            throw VernierError(
                .fileAccess, at: fileName(of: path), problems: ["cannot make a folder there: \(systemMessage())"])
        }
    }

    /// Copies a small file. Throws ``VernierError/Code/fileAccess``.
    static func copy(_ source: String, to target: String) throws {
        let file = try MappedFile(path: source)
        try file.withBytes { try AtomicFile.write($0, to: target) }
    }
}
