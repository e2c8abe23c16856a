import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file's bytes, for tests that damage files.
struct Bytes {
    var all: [UInt8]

    init(_ path: String) {
        guard let file = try? MappedFile(path: path) else {
            all = []
            return
        }
        all = withExtendedLifetime(file) { Array(file.bytes) }
    }

    func write(to path: String) throws { try Self.write(all, to: path) }

    /// Writes without waiting for the disk, since the tests write many files.
    static func write(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "w") else { throw VernierError(.fileAccess, at: path, problems: ["cannot open"]) }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw VernierError(.fileAccess, at: path, problems: ["cannot write"])
        }
    }

    static func digest(_ bytes: some Sequence<UInt8>) -> String { Digest.of(Array(bytes)) }
}
