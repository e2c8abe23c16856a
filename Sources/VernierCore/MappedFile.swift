#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file mapped read-only into memory for as long as the object lives.
///
/// The map is private and never written through. A file that another process cuts short while it is mapped raises
/// SIGBUS on access, as with every map: callers check sizes against ``count`` before they touch bytes.
public final class MappedFile: @unchecked Sendable {
    /// The file's name without its folders, for messages.
    public let name: String
    /// The file's path as given.
    public let path: String
    /// The mapped bytes; empty for an empty file. Valid while the object lives: prefer ``withBytes(_:)``.
    public let bytes: UnsafeRawBufferPointer
    /// What the file was when it was opened.
    public let identity: FileIdentity
    /// The file's size in bytes.
    public var count: Int { bytes.count }

    /// Maps the file at `path`.
    ///
    /// Throws ``VernierError/Code/fileAccess`` if it cannot be opened, is no regular file, or cannot be mapped.
    public init(path: String) throws {
        self.path = path
        self.name = fileName(of: path)
        // Without O_NONBLOCK, opening a pipe waits for its writer, for ever; to a regular file it means nothing.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw VernierError(
                .fileAccess, at: name, problems: ["cannot open the file: \(systemMessage())"],
                remedy: "Check the path '\(path)'.")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw VernierError(.fileAccess, at: name, expected: "a regular file", found: "something else")
        }
        identity = FileIdentity(status)
        let size = Int(status.st_size)
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw VernierError(.fileAccess, at: name, problems: ["cannot map \(size) bytes: \(systemMessage())"])
        }
        bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    /// Tells the system that `part` of ``bytes`` will not be read again soon, so that it stops counting as this
    /// process's memory. It can still be read; the system then fetches it from the file again.
    public func release(_ part: UnsafeRawBufferPointer) {
        guard let start = part.baseAddress, let first = bytes.baseAddress else { return }
        precondition(start >= first && start + part.count <= first + bytes.count, "the part lies in the file")
        // Whole pages only: what shares a page with the part may still be in use.
        let page = Int(sysconf(Int32(_SC_PAGESIZE))), from = (start - first + page - 1) / page * page
        let end = (start - first + part.count) / page * page
        guard page > 0, end > from else { return }
        madvise(UnsafeMutableRawPointer(mutating: first + from), end - from, MADV_DONTNEED)
    }

    deinit {
        if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }
}

/// The last component of a path.
public func fileName(of path: String) -> String {
    path.split(separator: "/", omittingEmptySubsequences: true).last.map(String.init) ?? path
}

/// The text of the current `errno`.
public func systemMessage() -> String { String(cString: strerror(errno)) }
