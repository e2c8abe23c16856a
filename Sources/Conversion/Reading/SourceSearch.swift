import Checkpoints
import VernierCore

/// Finds the files of a checkpoint by the paths that a user gives: files of weights, a SentencePiece model, and folders
/// with them.
struct SourceSearch {
    /// How deep folders are looked into.
    private static let maximumDepth = 4
    /// The most files that are opened.
    private static let maximumFiles = 1000

    /// Every file of weights, in the order given and by name.
    private(set) var sources: [WeightsSource] = []
    /// A SentencePiece model given by itself.
    private(set) var pieces: String?
    private var known: Set<FileIdentity> = []

    /// Opens everything at `paths`.
    ///
    /// In a folder these count: `*.safetensors.index.json` with its shards, other `*.safetensors`, `*.pth`, `*.pt`, and
    /// `*.bin` where there are no safetensors; hidden files do not. Throws ``VernierError/Code/fileAccess``, and as
    /// ``openWeights(_:)`` does for every file that counts.
    init(_ paths: [String]) throws {
        for path in paths {
            if FolderListing.isFolder(path) {
                try addFolder(path, depth: 0)
            } else if path.hasSuffix(".model") {
                guard pieces == nil else {
                    throw VernierError(
                        .invalidArgument, at: fileName(of: path), expected: "one SentencePiece model", found: "two")
                }
                pieces = path
            } else {
                try addFile(path)
            }
        }
        guard !sources.isEmpty else {
            throw VernierError(
                .emptyInput, at: paths.map(fileName).joined(separator: ", "), expected: "files of weights",
                found: "none", remedy: "Give .pth or .safetensors files, or the folder with them.")
        }
    }

    private mutating func addFile(_ path: String) throws {
        let identity = FileIdentity(path: path)
        if let identity, !known.insert(identity).inserted { return }
        guard known.count <= Self.maximumFiles else {
            throw VernierError(
                .invalidArgument, at: fileName(of: path), expected: "at most \(Self.maximumFiles) files of weights",
                found: "more", remedy: "Name the files to convert.")
        }
        sources.append(try WeightsSource(path: path))
    }

    private mutating func addFolder(_ folder: String, depth: Int) throws {
        let names = try FolderListing.names(in: folder).filter { !$0.hasPrefix(".") }
        let (folders, files) = names.reduce(into: ([String](), [String]())) { result, name in
            if FolderListing.isFolder("\(folder)/\(name)") { result.0.append(name) } else { result.1.append(name) }
        }
        var indexed: Set<String> = []
        for name in files where name.hasSuffix(".safetensors.index.json") {
            try addFile("\(folder)/\(name)")
            // It may have been given before, by itself.
            let identity = FileIdentity(path: "\(folder)/\(name)")
            let index = sources.first { FileIdentity(path: $0.path) == identity }
            if let shards = index?.tensors as? ShardedSafetensors { indexed.formUnion(shards.shards.map(\.sourceName)) }
        }
        let single = files.filter { $0.hasSuffix(".safetensors") && !indexed.contains($0) }
        let torch = files.filter { $0.hasSuffix(".pth") || $0.hasSuffix(".pt") }
        let hasSafetensors = !indexed.isEmpty || !single.isEmpty
        for name in single + torch + (hasSafetensors ? [] : files.filter { $0.hasSuffix(".bin") }) {
            try addFile("\(folder)/\(name)")
        }
        guard depth < Self.maximumDepth else { return }
        for name in folders { try addFolder("\(folder)/\(name)", depth: depth + 1) }
    }
}
