import VernierCore

/// Finds the file of weights in a folder, by the names that are usual.
enum WeightsFolder {
    /// Endings of the names, first choice first.
    private static let endings = [[".safetensors.index.json"], [".safetensors"], [".pth", ".pt", ".bin"]]

    /// The path of the one file that opens the weights in `folder`; see ``openWeights(_:)``.
    static func weights(in folder: String) throws -> String {
        let names = try FolderListing.names(in: folder).filter { !FolderListing.isFolder("\(folder)/\($0)") }
        for group in endings {
            let found = names.filter { name in group.contains { name.hasSuffix($0) } }
            if found.count == 1 { return "\(folder)/\(found[0])" }
            guard found.isEmpty else {
                throw VernierError(
                    .fileAccess, at: fileName(of: folder), expected: "one file of weights or an index",
                    found: found.prefix(5).joined(separator: ", ") + (found.count > 5 ? ", ..." : ""),
                    remedy: "Name the file that you mean.")
            }
        }
        throw VernierError(
            .fileAccess, at: fileName(of: folder),
            expected: "a file that ends in \(endings.joined().joined(separator: ", "))", found: "none",
            remedy: "Check the path '\(folder)'.")
    }
}
