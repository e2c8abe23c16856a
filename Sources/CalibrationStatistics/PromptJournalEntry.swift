/// One prompt that a calibration has counted.
public struct PromptJournalEntry: Sendable, Hashable {
    /// The prompt's place in the corpus, 0-based.
    public let corpusIndex: Int
    /// SHA-256 over the prompt, in lower-case hexadecimal.
    public let promptDigest: String

    /// Notes a prompt.
    public init(corpusIndex: Int, promptDigest: String) {
        self.corpusIndex = corpusIndex
        self.promptDigest = promptDigest
    }
}
