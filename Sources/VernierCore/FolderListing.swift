#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What stands in a folder.
public enum FolderListing {
    /// The names of what stands in a folder, in ascending order of their bytes. Throws
    /// ``VernierError/Code/fileAccess``.
    public static func names(in folder: String) throws -> [String] {
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
        return names.filter { $0 != "." && $0 != ".." }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Whether `path` is a folder.
    public static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
