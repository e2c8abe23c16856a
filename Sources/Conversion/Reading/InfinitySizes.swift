import Checkpoints
import ProfileFormat
import VernierCore

/// The sizes of an Infinity transformer, by its tensors' shapes (`models.md` section 3.3).
struct InfinitySizes {
    /// A tensor that only an Infinity transformer has.
    static let anchor = "text_proj_for_sos.ca.mat_q"
    /// The most text tokens that released models were trained with.
    private static let maximumTextTokens = 512

    private let depth: Int, blockChunks: Int, width: Int, heads: Int, mlpWidth: Int, textWidth: Int
    private let textPoolHeads: Int
    /// Bits of a token.
    let bits: Int
    private let textRows: Int

    /// Reads the sizes. Throws ``VernierError/Code/mismatch``.
    init(_ part: FoundPart) throws {
        let shapes = PartShapes(part)
        let context = try shapes.extents("text_proj_for_ca.0.weight", rank: 2)
        (width, textWidth) = (context[0], context[1])
        textPoolHeads = try shapes.extents(Self.anchor, rank: 3)[1]
        bits = try shapes.extents("word_embed.weight", rank: 2)[1]
        textRows = try shapes.extents("cfg_uncond", rank: 2)[0]
        guard try !shapes.has("blocks.0.sa.mat_qkv.weight") else {
            throw VernierError(
                .mismatch, at: part.label, expected: "blocks in chunks, 'block_chunks.0.module.0...', as released",
                found: "'blocks.0...'", remedy: "Save the model with its blocks in chunks.")
        }
        blockChunks = try shapes.count(after: "block_chunks.")
        depth = try blockChunks * shapes.count(after: "block_chunks.0.module.")
        let block = "block_chunks.0.module.0"
        heads = try shapes.extents("\(block).sa.scale_mul_1H11", rank: 4)[1]
        mlpWidth = try shapes.extents("\(block).ffn.fc1.weight", rank: 2)[0]
    }

    /// The model with a tokeniser. Throws ``VernierError/Code/mismatch`` for one that is another model's.
    func configuration(
        _ tokenizer: TokenizerSizes, part: FoundPart, tokenizerPart: FoundPart, ropeGrid: ScaleSchedule.Grid
    ) throws -> InfinityConfiguration {
        let channels = tokenizer.channels
        let isPatched = bits != channels && bits == 4 * channels
        guard bits == channels || isPatched else {
            throw VernierError(
                .mismatch, at: tokenizerPart.label,
                expected: "the tokeniser of the transformer in \(part.source.tensors.sourceName), \(bits) bits a token",
                found: "one of \(channels) bits", remedy: Self.remedy(bits: bits))
        }
        return InfinityConfiguration(
            transformer: TransformerConfiguration(
                depth: depth, blockChunks: blockChunks, width: width, heads: heads, mlpWidth: mlpWidth,
                textWidth: textWidth, textPoolHeads: textPoolHeads, bits: bits, ropeGrid: ropeGrid),
            tokenizer: ImageTokenizerConfiguration(
                bits: channels, baseChannels: tokenizer.baseChannels, channelMultipliers: tokenizer.multipliers,
                spatialPatchify: isPatched), maximumTextTokens: min(textRows, Self.maximumTextTokens))
    }

    /// What the transformer's file holds.
    func layout(_ numbers: InfinityConfiguration) -> CheckpointLayout {
        .infinityTransformer(numbers.transformer, unconditionalRows: textRows)
    }

    /// Where the tokeniser of so many bits a token comes from.
    static func remedy(bits: Int) -> String {
        let name = [
            16: "infinity_vae_d16.pth", 32: "infinity_vae_d32reg.pth", 56: "infinity_vae_d56_f8_14_patchify.pth",
        ]
        return "Give the tokeniser that the model was trained with"
            + (name[bits].map { ", \($0) of FoundationVision/Infinity." } ?? ".")
    }
}
