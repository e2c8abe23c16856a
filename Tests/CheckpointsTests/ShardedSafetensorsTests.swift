import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

@Suite("Sharded safetensors")
struct ShardedSafetensorsTests {
    /// A folder with shards and an index that names what `map` says.
    private func folder(
        _ shards: [String: [String]], _ map: [(String, String)], metadata: String = #""metadata":{"total_size":12},"#
    ) throws -> TemporaryDirectory {
        let folder = TemporaryDirectory()
        for (name, tensors) in shards {
            var writer = SafetensorsWriter()
            for tensor in tensors {
                try writer.add(TensorView(name: tensor, shape: [1], float32: [Float(tensor.utf8.count)]))
            }
            try writer.write(to: folder.file(name))
        }
        let members = map.map { "\(JSONValue.quoted($0.0)):\(JSONValue.quoted($0.1))" }.joined(separator: ",")
        try AtomicFile.write(
            "{\(metadata)\"weight_map\":{\(members)}}", to: folder.file("model.safetensors.index.json"))
        return folder
    }

    private func error(_ folder: TemporaryDirectory) throws -> VernierError {
        try #require(throws: VernierError.self) {
            _ = try ShardedSafetensors(path: folder.file("model.safetensors.index.json"))
        }
    }

    private let shards = ["m-1.safetensors": ["a", "bb"], "m-2.safetensors": ["ccc"]]
    private let map = [("a", "m-1.safetensors"), ("bb", "m-1.safetensors"), ("ccc", "m-2.safetensors")]

    @Test("All tensors are found, and the digest is that of one file")
    func opens() throws {
        for metadata in [#""metadata":{"total_size":12},"#, "", #""other":[1],"#] {
            let folder = try folder(shards, map, metadata: metadata)
            let sharded = try ShardedSafetensors(path: folder.file("model.safetensors.index.json"))
            #expect(sharded.tensorNames == ["a", "bb", "ccc"] && sharded.sourceName == "model.safetensors.index.json")
            #expect(try sharded.float32("ccc") == [3] && sharded.view("ccc").source == "m-2.safetensors")
            #expect(sharded.shards.map(\.sourceName) == ["m-1.safetensors", "m-2.safetensors"])
            #expect(
                sharded.files.map { fileName(of: $0.path) } == [
                    "model.safetensors.index.json", "m-1.safetensors", "m-2.safetensors",
                ])
            #expect(sharded.tensor("d") == nil)
            let whole = InMemoryTensors(try ["ccc", "a", "bb"].map { try sharded.view($0) })
            #expect(try weightsDigest(of: sharded) == weightsDigest(of: whole))
        }
    }

    @Test("All missing shards stand in one error")
    func missing() throws {
        let folder = try folder(shards, map + [("d", "m-3.safetensors"), ("e", "m-4.safetensors")])
        folder.remove("m-1.safetensors")
        let error = try error(folder)
        #expect(error.code == .fileAccess && error.problems.count == 3)
        #expect(error.problems[0].hasPrefix("shard \"m-1.safetensors\": cannot open the file"))
    }

    @Test("Tensors in no shard, in two, in another one, and not in the index stand in one error")
    func contradictions() throws {
        let folder = try folder(
            ["m-1.safetensors": ["a", "both", "moved", "extra"], "m-2.safetensors": ["both"]],
            [
                ("a", "m-1.safetensors"), ("both", "m-1.safetensors"), ("moved", "m-2.safetensors"),
                ("gone", "m-2.safetensors"),
            ])
        let error = try error(folder)
        #expect(error.code == .malformedFile)
        #expect(
            error.problems == [
                "tensor 'extra' of m-1.safetensors is not in the index",
                "tensor 'moved': expected in m-2.safetensors, found in m-1.safetensors",
                "tensor 'both' stands in both m-1.safetensors and m-2.safetensors",
                "tensor 'gone': expected in m-2.safetensors, found in no shard",
            ])
    }

    @Test("Many faults are counted")
    func manyFaults() throws {
        let error = try error(folder(shards, map + (0..<50).map { ("x\($0)", "m-1.safetensors") }))
        #expect(error.problems.count == 21 && error.problems.last == "and 30 more")
    }

    @Test(
        "Shards are files of the index's folder only",
        arguments: [
            "/etc/passwd", "../m-1.safetensors", "..", ".", "", "sub/m-1.safetensors", "./m-1.safetensors",
            "m-1.safetensors/", "m-1\u{0}.safetensors",
        ])
    func names(shard: String) throws {
        let error = try error(folder(shards, map + [("d", shard)]))
        #expect(error.code == .malformedFile)
        #expect(
            error.description.contains("weight_map.d: expected the name of a file in the index's folder"), "\(error)")
    }

    @Test("A damaged index or shard is refused")
    func damaged() throws {
        let folder = try folder(shards, map)
        let index = folder.file("model.safetensors.index.json")
        for (text, message) in [
            ("", "line 1, column 1"), ("[]", "expected an object"), ("{}", #"expected a member "weight_map""#),
            (#"{"weight_map":[]}"#, "weight_map: expected an object"),
            (#"{"weight_map":{"a":1}}"#, "weight_map.a: expected a string, found 1"),
            (#"{"weight_map":{"a":"m-1.safetensors","a":"m-2.safetensors"}}"#, "appears twice"),
            ("{\"weight_map\":{\"\u{e9}\":\"x\",\"e\u{301}\":\"x\"}}", "expected distinct tensor names"),
        ] {
            try AtomicFile.write(text, to: index)
            let error = try error(folder)
            #expect(error.code == .malformedFile && error.description.contains(message), "\(error)")
        }
        try AtomicFile.write(#"{"weight_map":{"a":"m-1.safetensors"}}"#, to: index)
        try AtomicFile.write("{}", to: folder.file("m-1.safetensors"))
        #expect(try error(folder).place == "m-1.safetensors")
        folder.remove("m-1.safetensors")
        folder.folder("m-1.safetensors")
        #expect(try error(folder).code == .fileAccess)
    }

    @Test("An index of nothing has no tensors")
    func empty() throws {
        let folder = try folder([:], [])
        #expect(try ShardedSafetensors(path: folder.file("model.safetensors.index.json")).tensorNames == [])
    }
}
