import ModelFamilies

/// One picture to draw: its text and its seed.
public struct ImageRequest: Sendable {
    /// The encoded prompt.
    public let text: TextRows
    /// Key of the picture's random numbers. The number for a bit depends on this and on the bit's position alone, so
    /// pictures of one seed share their noise whatever the prompt, the batch or the cache.
    public let seed: UInt64

    /// Asks for a picture.
    public init(text: TextRows, seed: UInt64) {
        self.text = text
        self.seed = seed
    }
}
