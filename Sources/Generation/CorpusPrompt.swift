import VernierCore

/// One prompt of a ``Corpus``.
public struct CorpusPrompt: Sendable, Hashable {
    /// The prompt's place in the corpus, 0-based: line `index + 1` of the file. Noise is keyed by it.
    public let index: Int
    /// The text to draw.
    public let prompt: String
    /// What the picture should show, an object as it stands in the file; nil if the file says nothing.
    public let scene: JSONValue?
    /// SHA-256 over the UTF-8 of ``prompt``, in lower-case hexadecimal.
    public let digest: String

    /// Makes a prompt and its digest.
    public init(index: Int, prompt: String, scene: JSONValue? = nil) {
        self.index = index
        self.prompt = prompt
        self.scene = scene
        digest = Digest.of(Array(prompt.utf8))
    }
}
