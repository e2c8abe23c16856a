#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How much can still be written.
public enum DiskSpace {
    /// Throws ``VernierError/Code/fileAccess`` unless the file system of the folder that `path` stands in, or will stand
    /// in, has room for `byteCount` bytes. Where the room cannot be told nothing is thrown: writing will.
    public static func require(_ byteCount: Int, at path: String) throws {
        guard let available = available(at: path), available < byteCount else { return }
        throw VernierError(
            .fileAccess, at: fileName(of: path), expected: "room for \(byteCount) bytes on the disk",
            found: "\(available) bytes", remedy: "Free some, or give a place on another disk.")
    }

    /// The bytes that a user without privileges can still write there; nil if that cannot be told.
    static func available(at path: String) -> Int? {
        var folder = path
        var status = statvfs()
        while statvfs(folder, &status) != 0 {
            guard let slash = folder.utf8.lastIndex(of: UInt8(ascii: "/")) else {
                guard folder != "." else { return nil }
                folder = "."
                continue
            }
            folder = slash == folder.startIndex ? (folder == "/" ? "." : "/") : String(folder[..<slash])
        }
        let (bytes, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: status.f_frsize))
        return overflow ? Int.max : bytes
    }
}
