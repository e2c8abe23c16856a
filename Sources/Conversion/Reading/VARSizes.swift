import Checkpoints
import ProfileFormat
import VernierCore

/// The sizes of a VAR transformer, by its tensors' shapes (`models.md` section 2.2).
struct VARSizes {
    /// A tensor that only a VAR transformer has.
    static let anchor = "pos_1LC"
    /// The most tokens of a picture that are believed.
    private static let maximumTokens = 1 << 20

    /// The token maps.
    let schedule: ScaleSchedule
    private let depth: Int, width: Int, heads: Int, mlpWidth: Int, classes: Int, codebookSize: Int, codeChannels: Int
    private let sharesModulation: Bool
    private let normalisesQueries: Bool

    /// Reads the sizes; `heads` for a checkpoint whose attention is not normalised, where no shape tells them.
    ///
    /// Throws ``VernierError/Code/mismatch``, and ``VernierError/Code/invalidArgument`` where heads are wanted or given
    /// wrongly.
    init(_ part: FoundPart, heads given: Int?) throws {
        let shapes = PartShapes(part)
        let positions = try shapes.extents(Self.anchor, rank: 3)
        width = positions[2]
        schedule = try Self.schedule(part, shapes, tokens: positions[1])
        depth = try shapes.count(after: "blocks.")
        classes = try shapes.extents("class_emb.weight", rank: 2)[0] - 1
        codebookSize = try shapes.extents("head.weight", rank: 2)[0]
        codeChannels = try shapes.extents("word_embed.weight", rank: 2)[1]
        mlpWidth = try shapes.extents("blocks.0.ffn.fc1.weight", rank: 2)[0]
        sharesModulation = try shapes.has("shared_ada_lin.1.weight")
        normalisesQueries = try shapes.has("blocks.0.attn.scale_mul_1H11")
        if normalisesQueries {
            heads = try shapes.extents("blocks.0.attn.scale_mul_1H11", rank: 4)[1]
            guard given == nil || given == heads else {
                throw VernierError(
                    .invalidArgument, at: "heads", expected: "\(heads), as \(part.label) has them",
                    found: "\(given ?? 0)")
            }
        } else {
            heads = try given ?? Self.releasedHeads(part, depth: depth, width: width)
        }
    }

    /// The model with a tokeniser. Throws ``VernierError/Code/mismatch`` for one that is another model's.
    func configuration(
        _ tokenizer: TokenizerSizes, part: FoundPart, tokenizerPart: FoundPart
    ) throws -> VARConfiguration {
        guard tokenizer.entries == codebookSize, tokenizer.channels == codeChannels else {
            throw VernierError(
                .mismatch, at: tokenizerPart.label,
                expected:
                    "the tokeniser of the transformer in \(part.source.tensors.sourceName), \(codebookSize) codes "
                    + "of \(codeChannels) channels",
                found: "one of \(tokenizer.entries ?? 0) codes of \(tokenizer.channels)", remedy: Self.remedy)
        }
        return VARConfiguration(
            depth: depth, width: width, heads: heads, mlpWidth: mlpWidth, classes: classes, codebookSize: codebookSize,
            codeChannels: codeChannels, baseChannels: tokenizer.baseChannels, channelMultipliers: tokenizer.multipliers)
    }

    /// What the transformer's file holds.
    func layout(_ numbers: VARConfiguration) -> CheckpointLayout {
        .varTransformer(
            numbers, schedule: schedule, sharesModulation: sharesModulation, normalisesQueries: normalisesQueries)
    }

    /// Where the tokeniser comes from.
    static let remedy =
        "Give the tokeniser that the model was trained with, vae_ch160v4096z32.pth of FoundationVision/var."

    /// The scale of every token, where the file has it, else the official schedule of so many tokens.
    private static func schedule(_ part: FoundPart, _ shapes: PartShapes, tokens: Int) throws -> ScaleSchedule {
        guard tokens <= maximumTokens else {
            throw VernierError(
                .mismatch, at: part.label, expected: "positions of at most \(maximumTokens) tokens", found: "\(tokens)")
        }
        if try shapes.has("lvl_1L") {
            let scales = try part.tensors.int32("lvl_1L", shape: [1, tokens])
            var counts: [Int] = []
            for (token, scale) in scales.enumerated() {
                if Int(scale) == counts.count { counts.append(0) }
                guard Int(scale) == counts.count - 1 else {
                    throw VernierError(
                        .mismatch, at: "\(part.label), tensor 'lvl_1L'", expected: "scales that follow each other",
                        found: "\(scale) at token \(token)")
                }
                counts[counts.count - 1] += 1
            }
            let sides = counts.map { Int(Double($0).squareRoot().rounded()) }
            guard zip(sides, counts).allSatisfy({ $0 * $0 == $1 }) else {
                throw VernierError(
                    .mismatch, at: "\(part.label), tensor 'lvl_1L'", expected: "square maps",
                    found: "scales of \(counts) tokens")
            }
            let grids = sides.map { ScaleSchedule.Grid(height: $0, width: $0) }
            return try ScaleSchedule(grids: grids, ropeGrid: grids[grids.count - 1])
        }
        guard let official = VARSchedule(totalTokens: tokens) else {
            let known = VARSchedule.all.map { "\($0.schedule.totalTokens) (\($0))" }.joined(separator: " or ")
            throw VernierError(
                .mismatch, at: part.label, expected: "positions of \(known) tokens, or a tensor 'lvl_1L'",
                found: "\(tokens)")
        }
        return official.schedule
    }

    private static func releasedHeads(_ part: FoundPart, depth: Int, width: Int) throws -> Int {
        for release in ModelRelease.all {
            if case .var(let numbers) = release.configuration.architecture, numbers.depth == depth,
                numbers.width == width
            {
                return numbers.heads
            }
        }
        throw VernierError(
            .invalidArgument, at: part.label, expected: "the number of heads (--heads), which no shape tells here",
            found: "none, and no released model of \(depth) blocks and \(width) channels")
    }
}
