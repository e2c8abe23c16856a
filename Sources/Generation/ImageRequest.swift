import ModelFamilies

/// One picture to draw: its condition and its seed.
public struct ImageRequest: Sendable {
    /// The encoded prompt, or the class.
    public let condition: ImageCondition
    /// What guidance leads away from, the encoded negative prompt; nil: what the model learned for no prompt.
    public let negative: ImageCondition?
    /// Key of the picture's random numbers. The number for a choice depends on this and on the choice's position
    /// alone, so pictures of one seed share their noise whatever the prompt, the batch or the cache.
    public var seed: UInt64
    /// What encoding the texts took, which counts as time of the picture.
    public let encodingSeconds: Double

    /// Asks for a picture.
    public init(
        condition: ImageCondition, negative: ImageCondition? = nil, seed: UInt64, encodingSeconds: Double = 0
    ) {
        self.condition = condition
        self.negative = negative
        self.seed = seed
        self.encodingSeconds = encodingSeconds
    }
}
