import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Collects tensors and writes them as one safetensors file, in one step and with the same bytes every time.
///
/// Tensors stand by descending element size, then by name, so that each is aligned for its type (as the Python library
/// writes them); the header is padded with spaces to a multiple of eight bytes. Content is not copied before it is
/// written: a tensor of a mapped file goes straight from map to file.
public struct SafetensorsWriter {
    /// Free texts for the header's `__metadata__`.
    public var metadata: [String: String]
    private var tensors: [String: TensorView] = [:]

    /// An empty file.
    public init(metadata: [String: String] = [:]) { self.metadata = metadata }

    /// Adds a tensor under its name; throws ``VernierError/Code/invalidArgument`` if the name is taken or reserved.
    public mutating func add(_ tensor: TensorView) throws {
        guard tensor.name != "__metadata__", tensors[tensor.name] == nil else {
            throw VernierError(
                .invalidArgument, at: "safetensors writer", expected: "distinct tensor names",
                found: "'\(tensor.name)' \(tensors[tensor.name] == nil ? "which is reserved" : "twice")")
        }
        tensors[tensor.name] = tensor
    }

    /// Writes the file atomically. Throws ``VernierError/Code/fileAccess``.
    public func write(to path: String) throws {
        let ordered = self.ordered
        let head = try header(of: ordered)
        try AtomicFile.replace(path) { temporary in
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw Self.failure(path, "cannot create a file there") }
            defer { close(descriptor) }
            try head.withUnsafeBytes { try Self.write($0, to: descriptor, path) }
            for tensor in ordered {
                try tensor.withBytes { try Self.write($0, to: descriptor, path) }
                tensor.release()
            }
            guard fsync(descriptor) == 0 else { throw Self.failure(path, "cannot flush") }
        }
    }

    /// The whole file in memory.
    public func serialised() throws -> [UInt8] {
        let ordered = self.ordered
        return try ordered.reduce(into: header(of: ordered)) { file, tensor in
            tensor.withBytes { file.append(contentsOf: $0) }
        }
    }

    private var ordered: [TensorView] {
        tensors.values.sorted {
            if $0.elementType.byteCount != $1.elementType.byteCount {
                return $0.elementType.byteCount > $1.elementType.byteCount
            }
            return $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
    }

    private func header(of ordered: [TensorView]) throws -> [UInt8] {
        var root = JSONObject()
        if !metadata.isEmpty {
            var texts = JSONObject()
            for (key, text) in metadata { texts[key] = .string(text) }
            root["__metadata__"] = .object(texts)
        }
        var offset = 0
        for tensor in ordered {
            root[tensor.name] = [
                "dtype": .string(tensor.elementType.name),
                "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
                "data_offsets": [.integer(Int64(offset)), .integer(Int64(offset + tensor.bytes.count))],
            ]
            offset += tensor.bytes.count
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

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = writeSome(descriptor, UnsafeRawBufferPointer(rebasing: rest))
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw failure(path, "cannot write") }
            rest = rest.dropFirst(written)
        }
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
