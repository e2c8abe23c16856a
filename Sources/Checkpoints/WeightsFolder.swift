import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Finds the file of weights in a folder, by the names that are usual.
enum WeightsFolder {
    /// Endings of the names, first choice first.
    private static let endings = [[".safetensors.index.json"], [".safetensors"], [".pth", ".pt", ".bin"]]

    /// Whether `path` is a folder.
    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The path of the one file that opens the weights in `folder`; see ``openWeights(_:)``.
    static func weights(in folder: String) throws -> String {
        let names = try names(in: folder)
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

    /// The names of the files in a folder, in ascending order.
    private static func names(in folder: String) throws -> [String] {
        guard let stream = opendir(folder) else {
            throw VernierError(
                .fileAccess, at: fileName(of: folder), problems: ["cannot list the folder: \(systemMessage())"],
                remedy: "Check the path '\(folder)'.")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let capacity = MemoryLayout.size(ofValue: entry.pointee.d_name)
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: capacity) { String(cString: $0) }
                })
        }
        return names.filter { !isFolder("\(folder)/\($0)") }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
