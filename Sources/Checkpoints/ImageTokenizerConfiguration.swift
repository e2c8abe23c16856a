/// The numbers of the image tokeniser's decoder (BSQ-VAE).
public struct ImageTokenizerConfiguration: Sendable, Hashable {
    /// Channels of the code map: one bit each.
    public let bits: Int
    /// Channels at full resolution before the multiplier.
    public let baseChannels: Int
    /// Per level, finest first, the channels as multiples of ``baseChannels``; each level but the first doubles the
    /// side.
    public let channelMultipliers: [Int]
    /// Whether one token holds a 2 x 2 patch of the code map.
    public let spatialPatchify: Bool

    /// Pixels per side of one cell of the code map.
    public var pixelsPerCode: Int { 1 << (channelMultipliers.count - 1) }
    /// Bits per token: ``bits``, or four times as many with patches.
    public var bitsPerToken: Int { spatialPatchify ? 4 * bits : bits }
    /// Pixels per side of one token.
    public var pixelsPerToken: Int { spatialPatchify ? 2 * pixelsPerCode : pixelsPerCode }

    /// Gathers the numbers; ``ModelConfiguration/checked()`` tells whether they fit together.
    public init(
        bits: Int, baseChannels: Int, channelMultipliers: [Int], spatialPatchify: Bool
    ) {
        self.bits = bits
        self.baseChannels = baseChannels
        self.channelMultipliers = channelMultipliers
        self.spatialPatchify = spatialPatchify
    }
}
