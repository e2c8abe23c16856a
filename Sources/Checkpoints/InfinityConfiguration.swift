/// The numbers of an Infinity model: transformer, image tokeniser, text.
public struct InfinityConfiguration: Sendable, Hashable {
    /// The transformer's numbers.
    public let transformer: TransformerConfiguration
    /// The image tokeniser's numbers.
    public let tokenizer: ImageTokenizerConfiguration
    /// The most text tokens that are encoded, the end token included.
    public let maximumTextTokens: Int

    /// Gathers the numbers; ``ModelConfiguration/checked()`` tells whether they fit together.
    public init(
        transformer: TransformerConfiguration, tokenizer: ImageTokenizerConfiguration, maximumTextTokens: Int
    ) {
        self.transformer = transformer
        self.tokenizer = tokenizer
        self.maximumTextTokens = maximumTextTokens
    }
}
