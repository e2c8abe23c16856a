import Checkpoints
import VernierCore

extension ModelConfiguration {
    /// Checks, before any work, that the model can draw what prompts ask for: texts or classes, and classes it has.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` at the first line that it cannot draw.
    public func requireKnown(_ prompts: some Sequence<CorpusPrompt>) throws {
        for prompt in prompts {
            let place = "prompt \(prompt.index + 1)"
            switch (prompt.subject, classes) {
            case (.text, nil): continue
            case (.imageClass(let index), let classes?) where (0..<classes).contains(index): continue
            case (.text(let text), _): throw wrongKind(at: place, found: "the text \(JSONValue.quoted(text))")
            case (.imageClass(let index), _): throw wrongKind(at: place, found: "class \(index)")
            }
        }
    }

    /// Classes that pictures are conditioned on; nil if it is text.
    public var classes: Int? {
        if case .var(let numbers) = architecture { numbers.classes } else { nil }
    }

    /// That a prompt is not of the kind, or the class not among those, that the model draws.
    func wrongKind(at place: String, found: String) -> VernierError {
        guard let classes else {
            return VernierError(
                .invalidArgument, at: place, expected: "a text, as the model '\(name)' draws", found: found,
                remedy: "Give texts (--prompt, or lines {\"prompt\": \"...\"}), or a class-conditional model.")
        }
        return VernierError(
            .invalidArgument, at: place, expected: "a class from 0 to \(classes - 1), as the model '\(name)' draws",
            found: found, remedy: "Give classes (--class, or lines {\"class\": 0}), or a text-to-image model.")
    }
}
