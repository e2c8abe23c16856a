import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The first 512 bytes of a statistics file, in HDF5's user block: what the file is, and a digest of the rest.
///
/// The seal is checked before the HDF5 library, which is easily upset by damaged files, sees a byte. Its text is
/// `vernier-statistics 4`, `sha256 <64 digits>` and `bytes <size of the whole file>`, one a line, then zero bytes.
enum StatisticsSeal {
    /// The first word of a statistics file.
    static let format = "vernier-statistics"
    /// The version of the file format that this build writes.
    static let schemaVersion = 4
    /// The versions that it reads; version 3 is version 4 without halves, version 2 without storage errors too, version 1
    /// without sketches too.
    static let readableVersions = 1...schemaVersion
    /// The size of the seal, the smallest user block that HDF5 allows.
    static let byteCount = 512

    /// Writes the seal into a finished file and flushes it to the disk. Throws ``VernierError/Code/fileAccess``.
    static func apply(to path: String, fileName: String) throws {
        let digest: String
        let size: Int
        do {
            let file = try MappedFile(path: path)
            size = file.count
            guard size > byteCount else {
                throw VernierError(.fileAccess, at: fileName, problems: ["the HDF5 library wrote \(size) bytes only"])
            }
            digest = file.withBytes { Digest.of(UnsafeRawBufferPointer(rebasing: $0[byteCount...])) }
        }
        let seal = Array(text(version: schemaVersion, digest: digest, size: size).utf8)
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(fileName, "cannot open the new file") }
        defer { close(descriptor) }
        guard pwrite(descriptor, seal, seal.count, 0) == seal.count, fsync(descriptor) == 0 else {
            throw failure(fileName, "cannot write")
        }
    }

    /// Checks a file's seal: that it is a statistics file of a known version, whole and unchanged.
    ///
    /// Throws ``VernierError/Code/malformedFile`` or ``VernierError/Code/unsupportedVersion``.
    static func check(_ file: MappedFile) throws {
        let head = file.withBytes { Array($0.prefix(byteCount)) }
        let lines = head.prefix { $0 != 0 }.split(separator: UInt8(ascii: "\n")).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard let first = lines.first, first.hasPrefix("\(format) ") else {
            let isHDF5 = head.starts(with: [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A])
            throw VernierError(
                .malformedFile, at: file.name, expected: "a Vernier statistics file",
                found: isHDF5 ? "an HDF5 file without Vernier's seal" : "\(file.count) other bytes",
                remedy: "Pass a file that 'vernier calibrate' wrote.")
        }
        guard let version = readableVersions.first(where: { first == "\(format) \($0)" }) else {
            throw VernierError(
                .unsupportedVersion, at: file.name, expected: "version 1 to \(schemaVersion)",
                found: "'\(first.dropFirst(format.count + 1).prefix(32))'",
                remedy: "Use the release of Vernier that wrote the file, or calibrate again.")
        }
        guard let sizeLine = lines.last, sizeLine == "bytes \(file.count)" else {
            throw VernierError(
                .malformedFile, at: file.name, expected: "\(lines.last.map { "\($0.prefix(32))" } ?? "a size")",
                found: "\(file.count) bytes", remedy: "The file was cut short or added to; copy it again.")
        }
        let digest = file.withBytes { Digest.of(UnsafeRawBufferPointer(rebasing: $0.dropFirst(byteCount))) }
        let seal = text(version: version, digest: digest, size: file.count)
        guard head.elementsEqual(seal.utf8) else {
            throw VernierError(
                .malformedFile, at: file.name, expected: "content of the SHA-256 that the file states",
                found: "\(digest)",
                remedy: "The file was damaged or changed after it was written; copy it again or calibrate again.")
        }
    }

    /// The seal, ``byteCount`` bytes of ASCII padded with zero bytes.
    private static func text(version: Int, digest: String, size: Int) -> String {
        let text = "\(format) \(version)\nsha256 \(digest)\nbytes \(size)\n"
        return text + String(repeating: "\0", count: byteCount - text.utf8.count)
    }

    private static func failure(_ fileName: String, _ what: String) -> VernierError {
        VernierError(.fileAccess, at: fileName, problems: ["\(what): \(systemMessage())"])
    }
}
