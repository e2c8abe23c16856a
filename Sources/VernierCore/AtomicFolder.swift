#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Makes whole folders so that a reader sees all of their files or no folder at all.
public enum AtomicFolder {
    /// Makes a temporary folder beside `path`, lets `body` fill it, and renames it to `path`.
    ///
    /// Nothing may stand at `path` but an empty folder. Throws ``VernierError/Code/fileAccess``, and what `body` throws;
    /// the temporary folder is removed then.
    public static func make(_ path: String, body: (_ temporaryPath: String) throws -> Void) throws {
        try requireFree(path)
        let temporary = "\(trimmed(path)).\(getpid()).tmp"
        remove(temporary)
        guard mkdir(temporary, 0o755) == 0 else { throw failure(path, "cannot make a folder there") }
        do {
            try body(temporary)
            guard rename(temporary, trimmed(path)) == 0 else { throw failure(path, "cannot name the folder") }
        } catch {
            remove(temporary)
            throw error
        }
    }

    /// Throws ``VernierError/Code/fileAccess`` unless a folder can be made at `path`: nothing stands there but perhaps
    /// an empty folder.
    public static func requireFree(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw failure(path, "cannot look at the path") }
            return
        }
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        guard isFolder, try FolderListing.names(in: path).isEmpty else {
            throw VernierError(
                .fileAccess, at: fileName(of: path), expected: "nothing, or an empty folder",
                found: isFolder ? "a folder with files" : "a file",
                remedy: "Remove '\(path)' or give another place.")
        }
    }

    /// Removes a folder and what stands in it, as far as that can be done; links are not followed.
    private static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        for name in (try? FolderListing.names(in: path)) ?? [] { remove("\(path)/\(name)") }
        rmdir(path)
    }

    /// The path without slashes at its end.
    private static func trimmed(_ path: String) -> String {
        var path = path
        while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
        return path
    }

    private static func failure(_ path: String, _ what: String) -> VernierError {
        VernierError(
            .fileAccess, at: fileName(of: path), problems: ["\(what): \(systemMessage())"],
            remedy: "Check the path '\(path)'.")
    }
}
