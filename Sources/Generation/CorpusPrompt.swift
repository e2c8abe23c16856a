import VernierCore

/// One prompt of a ``Corpus``: a text, or a class.
public struct CorpusPrompt: Sendable, Hashable {
    /// What to draw.
    public enum Subject: Sendable, Hashable {
        /// A text, for a text-to-image model.
        case text(String)
        /// A class, 0-based, for a class-conditional model.
        case imageClass(Int)
    }

    /// The prompt's place in the corpus, 0-based: line `index + 1` of the file. Noise is keyed by it.
    public let index: Int
    /// What to draw.
    public let subject: Subject
    /// What the picture should show, an object as it stands in the file; nil if the file says nothing.
    public let scene: JSONValue?
    /// SHA-256 in lower-case hexadecimal: over the UTF-8 of a text, or over `{"class":207}` for a class.
    public let digest: String

    /// The prompt for people: the text, or `class 207`.
    public var caption: String {
        switch subject {
        case .text(let text): text
        case .imageClass(let index): "class \(index)"
        }
    }

    /// Makes a prompt and its digest.
    public init(index: Int, subject: Subject, scene: JSONValue? = nil) {
        self.index = index
        self.subject = subject
        self.scene = scene
        let digested =
            switch subject {
            case .text(let text): text
            case .imageClass(let index): "{\"class\":\(index)}"
            }
        digest = Digest.of(Array(digested.utf8))
    }

    /// Makes a prompt of a text.
    public init(index: Int, prompt: String, scene: JSONValue? = nil) {
        self.init(index: index, subject: .text(prompt), scene: scene)
    }
}
