import VernierCore

/// Which corpus a calibration runs over: enough to recognise it and to know when all of it has been seen.
public struct CorpusReference: Sendable, Hashable {
    /// SHA-256 over the corpus file's bytes, in lower-case hexadecimal.
    public let digest: String
    /// The number of prompts in the corpus.
    public let promptCount: Int

    /// Refers to a corpus. Throws ``VernierError/Code/emptyInput`` if it has no prompts.
    public init(digest: String, promptCount: Int) throws {
        guard promptCount > 0 else {
            throw VernierError(.emptyInput, at: "corpus", expected: "at least one prompt", found: "\(promptCount)")
        }
        self.digest = digest
        self.promptCount = promptCount
    }
}
