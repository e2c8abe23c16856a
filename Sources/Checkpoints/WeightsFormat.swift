import VernierCore

/// The formats of weights that are read, told by the first bytes of a file.
enum WeightsFormat: Equatable {
    case safetensors
    /// The JSON index of sharded safetensors.
    case index
    /// A zip file of `torch.save`.
    case torch

    /// Looks at the file at `path`. Throws ``VernierError/Code/unsupportedVersion`` if it is none of these.
    init(ofFile path: String) throws {
        let file = try MappedFile(path: path)
        self = try file.withBytes { try WeightsFormat($0, name: file.name) }
    }

    /// Looks at the content of the file `name`.
    init(_ bytes: UnsafeRawBufferPointer, name: String) throws {
        // Safetensors first: the lowest byte of its header's length may be any, a brace or a P too. The length's upper
        // half is 0, which neither a text nor a zip file's first header has there.
        if let length = bytes.littleEndian(UInt64.self, at: 0), length <= UInt64(SafetensorsHeader.maximumByteCount),
            bytes.littleEndian(UInt8.self, at: 8) == UInt8(ascii: "{")
        {
            self = .safetensors
            return
        }
        if bytes.starts(with: [0x50, 0x4B, 3, 4]) {
            self = .torch
            return
        }
        let space = Set(" \n\r\t".utf8)
        if bytes.prefix(1024).first(where: { !space.contains($0) }) == UInt8(ascii: "{") {
            self = .index
            return
        }
        if bytes.starts(with: [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]) {
            throw VernierError(
                .unsupportedVersion, at: name, expected: "a torch file of version 1.6 or later (a zip file)",
                found: "the older format", remedy: "Load it with torch.load and save it again with torch.save.")
        }
        let digits = bytes.prefix(8).map { "\($0 < 16 ? "0" : "")\(String($0, radix: 16))" }.joined(separator: " ")
        throw VernierError(
            .unsupportedVersion, at: name, expected: "safetensors, an index of safetensors or a torch file",
            found: bytes.isEmpty ? "an empty file" : "a file that begins with the bytes \(digits)",
            remedy: "Give a file of weights in one of these formats.")
    }
}
