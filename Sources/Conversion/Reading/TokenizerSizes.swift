import Checkpoints
import VernierCore

/// The sizes of an image tokeniser, by its decoder's shapes.
struct TokenizerSizes {
    /// Channels of a code.
    let channels: Int
    /// Entries of the codebook; nil for Infinity's, which has none.
    let entries: Int?
    /// Channels of each level, finest first, as multiples of ``baseChannels``.
    let baseChannels: Int
    let multipliers: [Int]

    /// Tensors that only an image tokeniser has: its first convolution, with or without the wrapper's name.
    static let anchors = ["decoder.conv_in.weight", "decoder.conv_in.conv.weight"]
    /// What a tokeniser with a codebook has besides.
    static let codebook = "quantize.embedding.weight"
    /// The most levels that `config.json` may say.
    private static let maximumLevels = 8

    /// Reads the sizes and checks the decoder against them. Throws ``VernierError/Code/mismatch``.
    init(_ part: FoundPart) throws {
        let shapes = PartShapes(part)
        channels = try shapes.extents("decoder.conv_in.conv.weight", "decoder.conv_in.weight", rank: 4)[1]
        let levels = try shapes.count(after: "decoder.up.")
        guard levels <= Self.maximumLevels else {
            throw VernierError(
                .mismatch, at: part.label, expected: "at most \(Self.maximumLevels) levels", found: "\(levels)")
        }
        let widths = try (0..<levels).map { level in
            try shapes.extents(
                "decoder.up.\(level).block.0.conv1.conv.weight", "decoder.up.\(level).block.0.conv1.weight", rank: 4)[0]
        }
        let base = widths.reduce(0, Self.commonDivisor)
        baseChannels = base
        multipliers = widths.map { $0 / base }
        entries = try shapes.has(Self.codebook) ? shapes.extents(Self.codebook, rank: 2)[0] : nil
        let kind: CheckpointLayout.ImageTokenizerKind =
            entries.map { .codebook(entries: $0, scales: 1) } ?? .binary
        try shapes.check(
            CheckpointLayout.imageTokenizer(
                kind, channels: channels, baseChannels: base, multipliers: multipliers
            ).filtered(ModelPart.isNeededOfImageTokenizer), computed: ["decoder."], alternatives: Self.unwrapped)
    }

    /// The name without the wrapper of Infinity's convolutions and norms, which some copies lack.
    private static func unwrapped(_ name: String) -> String? {
        for wrapper in [".conv.", ".norm."] {
            for leaf in ["weight", "bias"] where name.hasSuffix(wrapper + leaf) {
                return "\(name.dropLast(wrapper.count + leaf.count)).\(leaf)"
            }
        }
        return nil
    }

    private static func commonDivisor(_ a: Int, _ b: Int) -> Int {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}
