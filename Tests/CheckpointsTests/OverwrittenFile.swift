#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file written in place, many times a second: `AtomicFile` would wait for the disk each time.
enum OverwrittenFile {
    struct Failure: Error {}

    /// Replaces the content of the file at `path`.
    static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
        guard let file = fopen(path, "w") else { throw Failure() }
        let count = bytes.baseAddress.map { fwrite($0, 1, bytes.count, file) } ?? 0
        guard fclose(file) == 0, count == bytes.count else { throw Failure() }
    }
}
