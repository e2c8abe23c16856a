/// A file of another project that a profile was turned into.
public struct ExportedFile: Sendable, Hashable {
    /// The file's text.
    public let text: String
    /// What the file does not say of the profile, and what was written instead, for people; empty if it says everything.
    public let warnings: [String]
    /// How the other project's code is to be called with it.
    public let usage: String
}
