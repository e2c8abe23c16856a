#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What tells one state of a file from another without reading it: where it is on which disk, its size, and when its
/// content and its record were last changed.
public struct FileIdentity: Hashable, Sendable {
    /// The disk.
    public let device: Int64
    /// The file's number on the disk.
    public let inode: Int64
    /// The size.
    public let byteCount: Int64
    /// When the content was last changed, in nanoseconds since 1970. Programs can set it.
    public let modifiedNanoseconds: Int64
    /// When content or record were last changed, in nanoseconds since 1970. Programs cannot set it.
    public let changedNanoseconds: Int64

    /// Puts an identity together from its numbers.
    public init(
        device: Int64, inode: Int64, byteCount: Int64, modifiedNanoseconds: Int64, changedNanoseconds: Int64
    ) {
        self.device = device
        self.inode = inode
        self.byteCount = byteCount
        self.modifiedNanoseconds = modifiedNanoseconds
        self.changedNanoseconds = changedNanoseconds
    }

    /// The identity that the file at `path` has now; `nil` if there is none.
    public init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        #if canImport(Glibc)
        let (modified, changed) = (status.st_mtim, status.st_ctim)
        #else
        let (modified, changed) = (status.st_mtimespec, status.st_ctimespec)
        #endif
        self.init(
            device: Int64(truncatingIfNeeded: status.st_dev), inode: Int64(truncatingIfNeeded: status.st_ino),
            byteCount: Int64(status.st_size), modifiedNanoseconds: Self.nanoseconds(modified),
            changedNanoseconds: Self.nanoseconds(changed))
    }

    /// Times beyond the year 2262 wrap around; they are compared, not used.
    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
