import ProfileFormat

/// The sizes of a VAR transformer and its image tokeniser (`models.md` section 2.1).
///
/// Legend: L blocks, C width, H heads, F hidden width of the MLP, V codebook entries, d channels of a code, K scales.
public struct VARShape: Sendable, Hashable {
    /// L blocks.
    public let depth: Int
    /// C, H and F.
    public let width: Int
    public let heads: Int
    public let mlpWidth: Int
    /// Classes, without "no class".
    public let classes: Int
    /// V and d.
    public let codebookSize: Int
    public let codeChannels: Int
    /// The scale schedule; VAR has no rotary positions, so its RoPE grid means nothing.
    public let schedule: ScaleSchedule
    /// Base channels and multipliers of the image tokeniser; its down-sampling factor is 2^(multipliers - 1).
    public let tokenizerBaseChannels: Int
    public let tokenizerMultipliers: [Int]

    /// Width of a head, D_h = C / H.
    public var headWidth: Int { width / heads }
    /// The tokeniser's final grid.
    public var codeGrid: ScaleSchedule.Grid { schedule.grids[schedule.scaleCount - 1] }

    /// Gathers the sizes.
    /// - Precondition: sizes are positive and `heads` divides `width`.
    public init(
        depth: Int, width: Int, heads: Int, mlpWidth: Int, classes: Int, codebookSize: Int, codeChannels: Int,
        schedule: ScaleSchedule, tokenizerBaseChannels: Int, tokenizerMultipliers: [Int]
    ) {
        precondition(
            depth > 0 && width > 0 && mlpWidth > 0 && classes > 0 && codebookSize > 0 && codeChannels > 0
                && tokenizerBaseChannels > 0 && !tokenizerMultipliers.isEmpty, "sizes are positive")
        precondition(heads > 0 && width % heads == 0, "heads divides width")
        self.depth = depth
        self.width = width
        self.heads = heads
        self.mlpWidth = mlpWidth
        self.classes = classes
        self.codebookSize = codebookSize
        self.codeChannels = codeChannels
        self.schedule = schedule
        self.tokenizerBaseChannels = tokenizerBaseChannels
        self.tokenizerMultipliers = tokenizerMultipliers
    }
}
