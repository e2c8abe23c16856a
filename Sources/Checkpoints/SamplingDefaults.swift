/// How a model is sampled unless the caller says otherwise.
public struct SamplingDefaults: Sendable, Hashable {
    /// The weight of classifier-free guidance at every scale; 1 turns it off.
    public let guidance: Float
    /// What logits are divided by.
    public let temperature: Float
    /// How many of the likeliest values stay; 0 keeps all.
    public let topK: Int
    /// The probability mass that stays; 0 keeps all.
    public let topP: Float

    /// Gathers the numbers.
    public init(
        guidance: Float, temperature: Float, topK: Int, topP: Float
    ) {
        self.guidance = guidance
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
    }
}
