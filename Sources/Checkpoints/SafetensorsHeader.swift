import VernierCore

/// What the header of a safetensors file says, checked against the file's size.
///
/// Layout of a file: eight bytes little-endian header length n, n bytes of JSON, then the tensors' bytes. The JSON is an
/// object `{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}`, offsets counted from the end of
/// the header, with an optional member `__metadata__` whose values are strings. The tensors tile the rest of the
/// file: no holes, no overlaps, nothing after the last.
/// Source: `safetensors` format description, huggingface/safetensors: README.md; limits as there.
struct SafetensorsHeader {
    /// One tensor's place and type.
    struct Entry {
        let name: String
        let elementType: ElementType
        let shape: [Int]
        /// Byte offsets into the part of the file after the header.
        let offsets: Range<Int>
    }

    /// The most bytes that a header may have.
    static let maximumByteCount = 100_000_000

    let metadata: [String: String]
    /// The tensors by offset.
    let entries: [Entry]
    /// Where the tensors' bytes begin in the file.
    let dataStart: Int

    /// Reads the header of the file `bytes`; `name` is the file's name for messages.
    init(_ bytes: UnsafeRawBufferPointer, name: String) throws {
        guard bytes.count >= 8 else {
            throw Self.failure(name, expected: "at least 8 bytes", found: "\(bytes.count)")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(Self.maximumByteCount) else {
            throw Self.failure(
                name, expected: "a header of at most \(Self.maximumByteCount) bytes", found: "one of \(length)")
        }
        dataStart = 8 + Int(length)
        guard dataStart <= bytes.count else {
            throw Self.failure(
                name, expected: "at least \(dataStart) bytes for the header", found: "\(bytes.count)")
        }
        let text = UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart])
        guard text.first == UInt8(ascii: "{") else {
            throw Self.failure(
                name, expected: "a header that begins with '{'",
                found: text.first.map { "the byte \($0)" } ?? "an empty one")
        }
        let root = JSONCursor(try JSONValue.parse(text, name: "\(name), header", maximumDepth: 4), place: name)
        var metadata: [String: String] = [:]
        var entries: [Entry] = []
        var names: Set<String> = []
        for (key, value) in try root.members() {
            if key == "__metadata__" {
                for (key, value) in try value.members() { metadata[key] = try value.string() }
                continue
            }
            // The parser refuses equal bytes; this refuses names that only Unicode tells apart.
            guard names.insert(key).inserted else {
                throw Self.failure(name, expected: "distinct tensor names", found: "'\(key)' twice")
            }
            entries.append(try Self.entry(key, value))
        }
        entries.sort { ($0.offsets.lowerBound, $0.offsets.upperBound) < ($1.offsets.lowerBound, $1.offsets.upperBound) }
        try Self.checkTiling(entries, dataByteCount: bytes.count - dataStart, name)
        self.metadata = metadata
        self.entries = entries
    }

    private static func entry(_ name: String, _ cursor: JSONCursor) throws -> Entry {
        try cursor.requireOnly(keys: ["dtype", "shape", "data_offsets"])
        let typeName = try cursor.member("dtype")
        guard let elementType = ElementType(named: try typeName.string()) else {
            throw typeName.error(expected: "one of \(ElementType.all.map(\.name).joined(separator: ", "))")
        }
        let shape = try cursor.member("shape").integers(in: 0...Int.max)
        let offsets = try cursor.member("data_offsets")
        let bounds = try offsets.elements(count: 2).map { try $0.integer(in: 0...Int.max) }
        guard bounds[0] <= bounds[1] else {
            throw offsets.error(expected: "ascending offsets", found: "\(bounds)")
        }
        guard let byteCount = TensorView.byteCount(of: shape, elementType) else {
            throw cursor.error(expected: "a size below 2^63 bytes", found: "shape \(shape) of \(elementType)")
        }
        guard byteCount == bounds[1] - bounds[0] else {
            throw offsets.error(
                expected: "\(byteCount) bytes for shape \(shape) of \(elementType)",
                found: "\(bounds[1] - bounds[0])")
        }
        return Entry(name: name, elementType: elementType, shape: shape, offsets: bounds[0]..<bounds[1])
    }

    private static func checkTiling(_ entries: [Entry], dataByteCount: Int, _ name: String) throws {
        var end = 0
        for entry in entries {
            guard entry.offsets.lowerBound == end else {
                let fault = entry.offsets.lowerBound < end ? "an overlap" : "a hole"
                throw failure(
                    name, expected: "tensor '\(entry.name)' to begin at offset \(end)",
                    found: "\(fault): it begins at \(entry.offsets.lowerBound)")
            }
            end = entry.offsets.upperBound
        }
        guard end == dataByteCount else {
            throw failure(
                name, expected: "\(end) bytes of tensors after the header", found: "\(dataByteCount)")
        }
    }

    private static func failure(_ name: String, expected: String, found: String) -> VernierError {
        VernierError(
            .malformedFile, at: name, expected: expected, found: found,
            remedy: "The file is damaged, incomplete or no safetensors file; fetch or export it again.")
    }
}
