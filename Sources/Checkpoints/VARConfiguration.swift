/// The numbers of a VAR model: transformer and image tokeniser.
public struct VARConfiguration: Sendable, Hashable {
    /// Blocks.
    public let depth: Int
    /// Channels of the residual stream.
    public let width: Int
    /// Attention heads.
    public let heads: Int
    /// Hidden channels of the feed-forward layers.
    public let mlpWidth: Int
    /// Classes that pictures are conditioned on, without "no class".
    public let classes: Int
    /// Entries of the codebook, one of which is chosen for every token.
    public let codebookSize: Int
    /// Channels of an entry.
    public let codeChannels: Int
    /// Channels of the tokeniser at full resolution before the multiplier.
    public let baseChannels: Int
    /// Per level, finest first, the channels as multiples of ``baseChannels``; each level but the first doubles the
    /// side.
    public let channelMultipliers: [Int]

    /// Pixels along a side of the picture for every token of the last map.
    public var pixelsPerToken: Int { 1 << (channelMultipliers.count - 1) }

    /// Gathers the numbers; ``ModelConfiguration/checked()`` tells whether they fit together.
    public init(
        depth: Int, width: Int, heads: Int, mlpWidth: Int, classes: Int, codebookSize: Int, codeChannels: Int,
        baseChannels: Int, channelMultipliers: [Int]
    ) {
        self.depth = depth
        self.width = width
        self.heads = heads
        self.mlpWidth = mlpWidth
        self.classes = classes
        self.codebookSize = codebookSize
        self.codeChannels = codeChannels
        self.baseChannels = baseChannels
        self.channelMultipliers = channelMultipliers
    }
}
