import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A new file that is written from front to back.
struct OutputFile: ~Copyable {
    /// The bytes written so far.
    private(set) var byteCount = 0
    private let descriptor: Int32
    private let path: String

    /// Makes the file `path`, which must not exist; errors speak of `place`, the file that it is to become. Throws
    /// ``VernierError/Code/fileAccess``, as all functions here do.
    init(creating path: String, for place: String) throws {
        self.path = place
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.failure(place, "cannot create a file there") }
    }

    deinit { close(descriptor) }

    /// Appends `bytes`.
    mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = Self.writeSome(descriptor, UnsafeRawBufferPointer(rebasing: rest))
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw Self.failure(path, "cannot write") }
            rest = rest.dropFirst(written)
        }
        byteCount += bytes.count
    }

    /// Appends `bytes`.
    mutating func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

    /// Flushes the file to the disk.
    func synchronise() throws {
        guard fsync(descriptor) == 0 else { throw Self.failure(path, "cannot flush") }
    }

    private static func writeSome(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        #else
        Darwin.write(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }

    private static func failure(_ path: String, _ what: String) -> VernierError {
        VernierError(
            .fileAccess, at: fileName(of: path), problems: ["\(what): \(systemMessage())"],
            remedy: "Check that the folder of '\(path)' exists and can be written.")
    }
}
