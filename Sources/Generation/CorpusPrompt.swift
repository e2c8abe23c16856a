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
    /// What guidance shall lead away from, for a text; nil: what the model learned for no text.
    public let negative: String?
    /// What the picture should show, an object as it stands in the file; nil if the file says nothing.
    public let scene: JSONValue?
    /// SHA-256 in lower-case hexadecimal: over the UTF-8 of a text, over `{"class":207}` for a class, and over the
    /// texts' lengths and bytes if there is a negative one.
    public let digest: String

    /// The prompt for people: the text, or `class 207`.
    public var caption: String {
        switch subject {
        case .text(let text): text
        case .imageClass(let index): "class \(index)"
        }
    }

    /// Makes a prompt and its digest.
    public init(index: Int, subject: Subject, negative: String? = nil, scene: JSONValue? = nil) {
        self.index = index
        self.subject = subject
        self.negative = negative
        self.scene = scene
        let digested =
            switch subject {
            case .text(let text): text
            case .imageClass(let index): "{\"class\":\(index)}"
            }
        if let negative {
            var both = Digest()
            both.update(field: digested)
            both.update(field: negative)
            digest = both.finalise()
        } else {
            digest = Digest.of(Array(digested.utf8))
        }
    }

    /// The same prompt with this negative one, if it is a text without its own.
    public func leading(awayFrom text: String?) -> CorpusPrompt {
        guard case .text = subject, let text, negative == nil else { return self }
        return CorpusPrompt(index: index, subject: subject, negative: text, scene: scene)
    }

    /// Makes a prompt of a text.
    public init(index: Int, prompt: String, negative: String? = nil, scene: JSONValue? = nil) {
        self.init(index: index, subject: .text(prompt), negative: negative, scene: scene)
    }
}
