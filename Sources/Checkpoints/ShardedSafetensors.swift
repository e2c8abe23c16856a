import VernierCore

/// A model in several safetensors files, told by an index which of them holds which tensor.
///
/// The index is the JSON file that Hugging Face's libraries write beside the shards, `model.safetensors.index.json`:
/// `{"metadata": {...}, "weight_map": {"tensor": "model-00001-of-00002.safetensors", ...}}`. Members other than
/// `weight_map` are not read. Opening maps every shard and reads its header; weights are paged in when they are used.
public final class ShardedSafetensors: FileTensorSource {
    /// The index's file name.
    public let sourceName: String
    /// The index's path as given.
    public let path: String
    /// The shards, in ascending order of their names.
    public let shards: [SafetensorsFile]
    public let tensorNames: [String]
    public let files: [OpenedFile]

    private let tensors: [String: TensorView]

    /// The most bytes that an index may have.
    static let maximumByteCount = 100_000_000
    /// How many problems an error spells out.
    static let reportedProblems = 20

    /// Opens the index at `path` and all shards beside it.
    ///
    /// Throws ``VernierError/Code/fileAccess`` naming all shards that are missing, and
    /// ``VernierError/Code/malformedFile`` for a malformed index or shard, a shard named by more than a plain file name,
    /// tensors that stand in another shard than the index says or in none, tensors that the index does not name, and
    /// tensors in two shards.
    public init(path: String) throws {
        let index = try MappedFile(path: path)
        let name = index.name
        let map = try Self.map(index)
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
        var shards: [SafetensorsFile] = []
        var missing: [String] = []
        for shard in Set(map.values).sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            do {
                shards.append(try SafetensorsFile(path: folder + shard))
            } catch let error as VernierError where error.code == .fileAccess {
                missing.append("shard \(JSONValue.quoted(shard)): \(error.problems.joined(separator: "; "))")
            }
        }
        guard missing.isEmpty else {
            throw VernierError(
                .fileAccess, at: name, problems: Self.shortened(missing),
                remedy: "Fetch the missing files into the index's folder.")
        }
        let problems = Self.problems(map, shards)
        guard problems.isEmpty else {
            throw VernierError(
                .malformedFile, at: name, problems: Self.shortened(problems),
                remedy: "Index and shards do not belong together, or some are damaged; fetch them all again.")
        }
        var tensors = [String: TensorView](minimumCapacity: map.count)
        for shard in shards { tensors.merge(shard.tensors) { first, _ in first } }
        self.tensors = tensors
        self.path = path
        sourceName = name
        self.shards = shards
        files = [OpenedFile(path: path, identity: index.identity)] + shards.flatMap(\.files)
        tensorNames = tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func tensor(_ name: String) -> TensorView? { tensors[name] }

    /// The shard of every tensor, as the index has it.
    static func map(_ file: MappedFile) throws -> [String: String] {
        guard file.count <= maximumByteCount else {
            throw VernierError(
                .malformedFile, at: file.name, expected: "an index of at most \(maximumByteCount) bytes",
                found: "one of \(file.count)")
        }
        return try file.withBytes { try map($0, name: file.name) }
    }

    static func map(_ bytes: UnsafeRawBufferPointer, name: String) throws -> [String: String] {
        let root = JSONCursor(try JSONValue.parse(bytes, name: name), place: name)
        var map: [String: String] = [:]
        for (tensor, shard) in try root.member("weight_map").members() {
            let file = try shard.string()
            // Files of the index's own folder only: a downloaded index must not make the reader open others.
            guard !["", ".", ".."].contains(file), !file.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 })
            else { throw shard.error(expected: "the name of a file in the index's folder") }
            guard map.updateValue(file, forKey: tensor) == nil else {
                throw shard.error(expected: "distinct tensor names", found: "\(JSONValue.quoted(tensor)) twice")
            }
        }
        return map
    }

    /// Every way in which the shards contradict the index.
    private static func problems(_ map: [String: String], _ shards: [SafetensorsFile]) -> [String] {
        var problems: [String] = []
        var found: [String: String] = [:]
        for shard in shards {
            for tensor in shard.tensorNames {
                if let other = found.updateValue(shard.sourceName, forKey: tensor) {
                    problems.append("tensor '\(tensor)' stands in both \(other) and \(shard.sourceName)")
                } else if let expected = map[tensor] {
                    guard expected != shard.sourceName else { continue }
                    problems.append("tensor '\(tensor)': expected in \(expected), found in \(shard.sourceName)")
                } else {
                    problems.append("tensor '\(tensor)' of \(shard.sourceName) is not in the index")
                }
            }
        }
        for tensor in map.keys.sorted() where found[tensor] == nil {
            problems.append("tensor '\(tensor)': expected in \(map[tensor] ?? ""), found in no shard")
        }
        return problems
    }

    private static func shortened(_ problems: [String]) -> [String] {
        let left = problems.count - reportedProblems
        return left > 0 ? problems.prefix(reportedProblems) + ["and \(left) more"] : problems
    }
}
