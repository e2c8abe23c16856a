import ProfileFormat

/// The numbers of an Infinity transformer.
public struct TransformerConfiguration: Sendable, Hashable {
    /// Blocks in all.
    public let depth: Int
    /// Chunks that the blocks are stored in: block i is `block_chunks.(i / m).module.(i % m)`, m = depth / chunks.
    public let blockChunks: Int
    /// Channels of the residual stream.
    public let width: Int
    /// Attention heads.
    public let heads: Int
    /// Hidden channels of the feed-forward layers.
    public let mlpWidth: Int
    /// Channels of the text features.
    public let textWidth: Int
    /// Heads of the attention that pools the text.
    public let textPoolHeads: Int
    /// Bits per token.
    public let bits: Int
    /// The reference grid that rotary positions are scaled to.
    public let ropeGrid: ScaleSchedule.Grid

    /// Channels per attention head.
    public var headWidth: Int { width / heads }
    /// Blocks per chunk.
    public var blocksPerChunk: Int { depth / blockChunks }

    /// Gathers the numbers; ``ModelConfiguration/checked()`` tells whether they fit together.
    public init(
        depth: Int, blockChunks: Int, width: Int, heads: Int, mlpWidth: Int, textWidth: Int, textPoolHeads: Int,
        bits: Int, ropeGrid: ScaleSchedule.Grid
    ) {
        self.depth = depth
        self.blockChunks = blockChunks
        self.width = width
        self.heads = heads
        self.mlpWidth = mlpWidth
        self.textWidth = textWidth
        self.textPoolHeads = textPoolHeads
        self.bits = bits
        self.ropeGrid = ropeGrid
    }
}
