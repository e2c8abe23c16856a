/// What one sequence is conditioned on.
public enum ImageCondition: Sendable, Hashable {
    /// Encoded text, for a text-to-image model.
    case text(TextRows)
    /// A class, 0-based, for a class-conditional model.
    case imageClass(Int)
    /// The learned "no class" of a class-conditional model.
    case noClass

    /// What the condition is, in a few words for messages.
    var summary: String {
        switch self {
        case .text(let rows): "a text of \(rows.count) tokens"
        case .imageClass(let index): "class \(index)"
        case .noClass: "no class"
        }
    }
}
