/// The one error type of Vernier: what a person needs to mend the problem, in four parts.
///
/// The message reads `where: expected X, found Y. What to do.` File names appear without their folders, numbers for
/// both sides. All mismatches found by one check are reported together (see ``VernierError/init(_:at:problems:remedy:)``).
public struct VernierError: Error, Sendable, CustomStringConvertible {
    /// A stable class of failure. A struct, not an enum, so that codes can be added without breaking a `switch`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String, Sendable {
            case fileAccess, malformedFile, unsupportedVersion, mismatch, invalidArgument, nonFinite, infeasibleBudget
            case emptyInput, corruptState, outOfMemory
        }
        private let kind: Kind
        /// A file could not be opened, read or written.
        public static let fileAccess = Code(kind: .fileAccess)
        /// A file's content breaks its format.
        public static let malformedFile = Code(kind: .malformedFile)
        /// A file is of a version, or requires a feature, that this build does not know.
        public static let unsupportedVersion = Code(kind: .unsupportedVersion)
        /// Two things that must fit together do not: profile and model, statistics and model, weights and configuration.
        public static let mismatch = Code(kind: .mismatch)
        /// An argument is out of its range.
        public static let invalidArgument = Code(kind: .invalidArgument)
        /// A number that must be finite is not.
        public static let nonFinite = Code(kind: .nonFinite)
        /// No allocation meets the requested budget.
        public static let infeasibleBudget = Code(kind: .infeasibleBudget)
        /// An input that must not be empty is.
        public static let emptyInput = Code(kind: .emptyInput)
        /// Saved intermediate state contradicts itself or its inputs.
        public static let corruptState = Code(kind: .corruptState)
        /// A size is beyond what this machine can hold.
        public static let outOfMemory = Code(kind: .outOfMemory)
        /// The code's name, for example `mismatch`.
        public var description: String { kind.rawValue }
    }

    /// The class of failure.
    public let code: Code
    /// Where it happened: a file (name only), a line, a tensor, an option.
    public let place: String
    /// What was found wrong, as one or more sentences without a final full stop.
    public let problems: [String]
    /// What the reader can do about it, as a full sentence; empty if there is nothing to add.
    public let remedy: String
    /// The lower-level failure, if any.
    public let underlying: (any Error)?

    /// Makes an error that states an expectation and what was found instead.
    public init(
        _ code: Code, at place: String, expected: String, found: String, remedy: String = "",
        underlying: (any Error)? = nil
    ) {
        self.init(
            code, at: place, problems: ["expected \(expected), found \(found)"], remedy: remedy, underlying: underlying)
    }

    /// Makes an error from all problems that one check found.
    public init(
        _ code: Code, at place: String, problems: [String], remedy: String = "", underlying: (any Error)? = nil
    ) {
        self.code = code
        self.place = place
        self.problems = problems
        self.remedy = remedy
        self.underlying = underlying
    }

    /// `where: problem; problem. What to do.`
    public var description: String {
        var text = "\(place): \(problems.joined(separator: "; "))."
        if !remedy.isEmpty { text += " \(remedy)" }
        if let underlying { text += " (\(underlying))" }
        return text
    }
}
