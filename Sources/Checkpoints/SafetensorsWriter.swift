import VernierCore

/// Collects tensors and writes them as one safetensors file, in one step and with the same bytes every time.
///
/// Tensors stand by descending element size, then by name, so that each is aligned for its type (as the Python library
/// writes them); the header is padded with spaces to a multiple of eight bytes. Content is not copied before it is
/// written: a tensor of a mapped file goes straight from map to file, and one that is only declared is made when its turn
/// comes and let go of afterwards.
public struct SafetensorsWriter {
    /// A tensor of the file, and how to get it.
    private struct Entry {
        let name: String
        let elementType: ElementType
        let shape: [Int]
        let byteCount: Int
        let make: () throws -> TensorView

        /// Calls `body` with the content. Throws ``VernierError/Code/mismatch`` if it is not what was declared.
        func withBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
            let tensor = try make()
            guard tensor.elementType == elementType, tensor.shape == shape else {
                throw VernierError(
                    .mismatch, at: "safetensors writer, tensor '\(name)'", expected: "\(elementType) of shape \(shape)",
                    found: "\(tensor.elementType) of shape \(tensor.shape)")
            }
            try tensor.withBytes(body)
            tensor.release()
        }
    }

    /// Free texts for the header's `__metadata__`.
    public var metadata: [String: String]
    private var entries: [String: Entry] = [:]

    /// An empty file.
    public init(metadata: [String: String] = [:]) { self.metadata = metadata }

    /// Adds a tensor under its name; throws ``VernierError/Code/invalidArgument`` if the name is taken or reserved.
    public mutating func add(_ tensor: TensorView) throws {
        try add(tensor.name, tensor.elementType, shape: tensor.shape) { tensor }
    }

    /// Declares a tensor that `make` makes when the file is written, so that not all need be in memory at once.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` if the name is taken or reserved or the tensor larger than can be
    /// addressed.
    public mutating func add(
        _ name: String, _ elementType: ElementType, shape: [Int], make: @escaping () throws -> TensorView
    ) throws {
        guard name != "__metadata__", entries[name] == nil else {
            throw VernierError(
                .invalidArgument, at: "safetensors writer", expected: "distinct tensor names",
                found: "'\(name)' \(entries[name] == nil ? "which is reserved" : "twice")")
        }
        guard let byteCount = TensorView.byteCount(of: shape, elementType) else {
            throw VernierError(
                .invalidArgument, at: "safetensors writer, tensor '\(name)'", expected: "a size that can be addressed",
                found: "shape \(shape)")
        }
        entries[name] = Entry(
            name: name, elementType: elementType, shape: shape, byteCount: byteCount, make: make)
    }

    /// Writes the file atomically. Throws ``VernierError/Code/fileAccess``.
    public func write(to path: String) throws {
        let ordered = self.ordered
        let head = try header(of: ordered)
        try AtomicFile.replace(path) { temporary in
            var file = try OutputFile(creating: temporary, for: path)
            try file.write(head)
            for entry in ordered { try entry.withBytes { try file.write($0) } }
            try file.synchronise()
        }
    }

    /// The whole file in memory.
    public func serialised() throws -> [UInt8] {
        let ordered = self.ordered
        return try ordered.reduce(into: header(of: ordered)) { file, entry in
            try entry.withBytes { file.append(contentsOf: $0) }
        }
    }

    private var ordered: [Entry] {
        entries.values.sorted {
            if $0.elementType.byteCount != $1.elementType.byteCount {
                return $0.elementType.byteCount > $1.elementType.byteCount
            }
            return $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
    }

    private func header(of ordered: [Entry]) throws -> [UInt8] {
        var root = JSONObject()
        if !metadata.isEmpty {
            var texts = JSONObject()
            for (key, text) in metadata { texts[key] = .string(text) }
            root["__metadata__"] = .object(texts)
        }
        var offset = 0
        for entry in ordered {
            let (end, overflow) = offset.addingReportingOverflow(entry.byteCount)
            guard !overflow else {
                throw VernierError(
                    .invalidArgument, at: "safetensors writer", expected: "a size that can be addressed",
                    found: "more, at tensor '\(entry.name)'")
            }
            root[entry.name] = [
                "dtype": .string(entry.elementType.name),
                "shape": .array(entry.shape.map { .integer(Int64($0)) }),
                "data_offsets": [.integer(Int64(offset)), .integer(Int64(end))],
            ]
            offset = end
        }
        var text = Array(try JSONValue.object(root).canonicalLine().utf8)
        text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
        guard text.count <= SafetensorsHeader.maximumByteCount else {
            throw VernierError(
                .invalidArgument, at: "safetensors writer",
                expected: "a header of at most \(SafetensorsHeader.maximumByteCount) bytes", found: "\(text.count)")
        }
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }
}
