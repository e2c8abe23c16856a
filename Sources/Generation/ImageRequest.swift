import ModelFamilies

/// One picture to draw: its condition and its seed.
public struct ImageRequest: Sendable {
    /// The encoded prompt, or the class.
    public let condition: ImageCondition
    /// Key of the picture's random numbers. The number for a choice depends on this and on the choice's position
    /// alone, so pictures of one seed share their noise whatever the prompt, the batch or the cache.
    public let seed: UInt64

    /// Asks for a picture.
    public init(condition: ImageCondition, seed: UInt64) {
        self.condition = condition
        self.seed = seed
    }
}
