import ProfileFormat
import VernierCore

@testable import Checkpoints

/// The readers of files that are fuzzed (`Tests/Fuzzing`), and how: the fuzzer and the tests of what it kept share this.
enum FuzzedReader: String, CaseIterable, Sendable {
    /// A torch file.
    case torch
    /// The pickle of a torch file with three storages.
    case pickle
    /// A safetensors file.
    case safetensors
    /// The index of shards.
    case index
    /// A model's config.json.
    case config
    /// A profile.
    case profile

    /// What no reader may do, whatever its input.
    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    /// Reads `bytes` and everything they describe. `shards` is the folder of the shards that an index names.
    ///
    /// Throws a `VernierError` where the input is refused, and ``Broken`` if a promise is.
    func read(_ bytes: UnsafeRawBufferPointer, shards: String) throws {
        _ = try? WeightsFormat(bytes, name: "input")
        switch self {
        case .torch: try Self.open(bytes) { try TorchFile($0, owner: $1, name: "input") }
        case .pickle:
            let storages = [("0", 16), ("1", 8), ("2", 0)].map {
                (key: $0.0, content: [UInt8](repeating: 1, count: $0.1))
            }
            try ZipText(pickle: Array(bytes), storages: storages).bytes.withUnsafeBytes { zip in
                try Self.open(zip) { try TorchFile($0, owner: $1, name: "input") }
            }
        case .safetensors: try Self.open(bytes) { try SafetensorsFile($0, owner: $1, name: "input") }
        case .index: try Self.readIndex(bytes, shards)
        case .config:
            let root = JSONCursor(try JSONValue.parse(bytes, name: "input"), place: "input")
            let configuration = try ModelConfiguration(reading: root)
            _ = configuration.shapeDigest
            for aspect in InfinityAspect.all { _ = try? configuration.choosing(ScheduleChoice(aspect: aspect)) }
        case .profile:
            let profile = try Profile(parsing: String(decoding: bytes, as: UTF8.self), name: "input")
            let text = try profile.canonicalText()
            try Self.require(
                Profile(parsing: text, name: "own").canonicalText() == text, "the profile reads back as another")
        }
    }

    private static func require(_ condition: Bool, _ description: String) throws {
        guard condition else { throw Broken(description: description) }
    }

    /// Opens a copy of the input, of exactly its size.
    private static func open<Source: TensorSource>(
        _ bytes: UnsafeRawBufferPointer, reader: (UnsafeRawBufferPointer, AnyObject) throws -> Source
    ) throws {
        let store = TensorBytes(copying: bytes)
        try readAll(reader(store.bytes, store))
    }

    /// Reads every byte of every tensor.
    private static func readAll(_ source: some TensorSource) throws {
        for name in source.tensorNames {
            guard let view = try source.tensor(name) else { throw Broken(description: "no tensor of the name \(name)") }
            // Small files may describe 64 MiB; reading all of it again and again would be most of the work.
            guard view.bytes.count <= 1 << 16 else { continue }
            try require(
                view.elementCount == view.shape.reduce(1, *)
                    && view.bytes.count == view.elementCount * view.elementType.byteCount, "\(name) has another size")
            _ = view.withBytes { $0.reduce(UInt8(0), ^) }
            _ = try? view.float32()
            _ = try? view.int32()
        }
    }

    /// Writes the input beside the shards and opens it.
    private static func readIndex(_ bytes: UnsafeRawBufferPointer, _ shards: String) throws {
        for shard in try ShardedSafetensors.map(bytes, name: "input").values {
            try require(
                !["", ".", ".."].contains(shard) && !shard.utf8.contains(UInt8(ascii: "/")), "\(shard) is elsewhere")
        }
        let path = "\(shards)/model.safetensors.index.json"
        try OverwrittenFile.write(bytes, to: path)
        try readAll(ShardedSafetensors(path: path))
    }
}
