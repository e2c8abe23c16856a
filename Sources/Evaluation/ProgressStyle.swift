/// How progress is shown.
public struct ProgressStyle: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: String, Sendable, CaseIterable {
        case auto, plain, json, none
    }
    private let kind: Kind

    /// A bar that redraws itself if the output is a terminal, else ``plain``.
    public static let auto = ProgressStyle(kind: .auto)
    /// One line for every tenth of the work.
    public static let plain = ProgressStyle(kind: .plain)
    /// One JSON object a line for every report.
    public static let json = ProgressStyle(kind: .json)
    /// Nothing.
    public static let none = ProgressStyle(kind: .none)
    /// All styles.
    public static let all = Kind.allCases.map { ProgressStyle(kind: $0) }

    private init(kind: Kind) { self.kind = kind }

    /// The style of a name; nil for an unknown one.
    public init?(named name: String) {
        guard let kind = Kind(rawValue: name) else { return nil }
        self.kind = kind
    }

    /// The style's name, for example `auto`.
    public var description: String { kind.rawValue }
}
