import VernierCore

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

    func write(to path: String) throws { try AtomicFile.write(all, to: path) }

    static func write(_ bytes: [UInt8], to path: String) throws { try AtomicFile.write(bytes, to: path) }

    static func digest(_ bytes: some Sequence<UInt8>) -> String { Digest.of(Array(bytes)) }
}
