import VernierCore

/// Tensors that stand in files, and nowhere else.
public protocol FileTensorSource: TensorSource {
    /// All files that the tensors come from; empty if they were read from memory.
    var files: [OpenedFile] { get }
}

/// A file as it was when it was opened.
public struct OpenedFile: Sendable, Hashable {
    /// The path it was opened by.
    public let path: String
    /// What it was.
    public let identity: FileIdentity
}
