#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Writes whole files so that a reader sees the old content or the new one, never half of it.
public enum AtomicFile {
    /// Writes `bytes` to a temporary file beside `path`, flushes it to the disk and renames it over `path`.
    ///
    /// Throws ``VernierError/Code/fileAccess``; the temporary file is removed on failure.
    public static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
        try replace(path) { temporary in
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw failure(path, "cannot create a file there") }
            defer { close(descriptor) }
            var offset = 0
            while offset < bytes.count {
                let written = Self.writeSome(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else { throw failure(path, "cannot write") }
                offset += written
            }
            guard fsync(descriptor) == 0 else { throw failure(path, "cannot flush") }
        }
    }

    /// Writes `text` as UTF-8; see ``write(_:to:)-(UnsafeRawBufferPointer,_)``.
    public static func write(_ text: String, to path: String) throws {
        var text = text
        try text.withUTF8 { try write(UnsafeRawBufferPointer($0), to: path) }
    }

    /// Writes an array of bytes; see ``write(_:to:)-(UnsafeRawBufferPointer,_)``.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        try bytes.withUnsafeBytes { try write($0, to: path) }
    }

    /// Lets `body` make a temporary file beside `path` (same file system) and renames it over `path`.
    ///
    /// For writers that need a path of their own, such as the HDF5 library. `body` must leave the file closed.
    public static func replace(_ path: String, body: (_ temporaryPath: String) throws -> Void) throws {
        let temporary = "\(path).\(getpid()).tmp"
        unlink(temporary)
        do {
            try body(temporary)
            guard rename(temporary, path) == 0 else { throw failure(path, "cannot replace the file") }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private static func writeSome(_ descriptor: Int32, _ start: UnsafeRawPointer, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, start, count)
        #else
        Darwin.write(descriptor, start, count)
        #endif
    }

    private static func failure(_ path: String, _ what: String) -> VernierError {
        VernierError(
            .fileAccess, at: fileName(of: path), problems: ["\(what): \(systemMessage())"],
            remedy: "Check that the folder of '\(path)' exists and can be written.")
    }
}
