import ProfileFormat

/// The sizes of an Infinity transformer and its image tokeniser (`models.md` section 3.1).
///
/// Legend: L blocks, C width, H heads, F hidden width of the MLP, Ct text width, D bits of a transformer token, d bits of
/// the tokeniser (D = d, or 4 d with spatial patchify), K scales.
public struct InfinityShape: Sendable, Hashable {
    /// L blocks, in `blockChunks` chunks of equal size (a matter of key names only).
    public let depth: Int
    public let blockChunks: Int
    /// C, H and F.
    public let width: Int
    public let heads: Int
    public let mlpWidth: Int
    /// Ct, and the heads of the pooling attention over text.
    public let textWidth: Int
    public let textPoolHeads: Int
    /// D.
    public let bits: Int
    /// The scale schedule of the transformer's grids.
    public let schedule: ScaleSchedule
    /// Whether the tokeniser works on grids twice as large on each side, four of its codes making one token.
    public let spatialPatchify: Bool
    /// Base channels and multipliers of the image tokeniser; its down-sampling factor is 2^(multipliers - 1).
    public let tokenizerBaseChannels: Int
    public let tokenizerMultipliers: [Int]

    /// Width of a head, D_h = C / H.
    public var headWidth: Int { width / heads }
    /// d.
    public var tokenizerBits: Int { spatialPatchify ? bits / 4 : bits }
    /// The tokeniser's final grid (height, width).
    public var codeGrid: (height: Int, width: Int) {
        let last = schedule.grids[schedule.scaleCount - 1], factor = spatialPatchify ? 2 : 1
        return (last.height * factor, last.width * factor)
    }
    /// Pixels along each side of one code.
    public var pixelsPerCode: Int { 1 << (tokenizerMultipliers.count - 1) }

    /// Gathers the sizes.
    /// - Precondition: sizes are positive, `blockChunks` divides `depth`, `heads` divides `width` and head width is a
    ///   multiple of 4 (2-D RoPE), `textPoolHeads` divides `width`, and 4 divides `bits` with patchify.
    public init(
        depth: Int, blockChunks: Int, width: Int, heads: Int, mlpWidth: Int, textWidth: Int, textPoolHeads: Int,
        bits: Int, schedule: ScaleSchedule, spatialPatchify: Bool, tokenizerBaseChannels: Int,
        tokenizerMultipliers: [Int]
    ) {
        precondition(depth > 0 && blockChunks > 0 && depth % blockChunks == 0, "blockChunks divides depth")
        precondition(heads > 0 && width % heads == 0 && (width / heads) % 4 == 0, "head width is a multiple of 4")
        precondition(textPoolHeads > 0 && width % textPoolHeads == 0, "textPoolHeads divides width")
        precondition(bits > 0 && (!spatialPatchify || bits % 4 == 0), "4 divides bits with patchify")
        self.depth = depth
        self.blockChunks = blockChunks
        self.width = width
        self.heads = heads
        self.mlpWidth = mlpWidth
        self.textWidth = textWidth
        self.textPoolHeads = textPoolHeads
        self.bits = bits
        self.schedule = schedule
        self.spatialPatchify = spatialPatchify
        self.tokenizerBaseChannels = tokenizerBaseChannels
        self.tokenizerMultipliers = tokenizerMultipliers
    }
}
