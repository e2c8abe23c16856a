import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

@Suite("Opening weights of any kind")
struct OpenWeightsTests {
    private func folder() throws -> TemporaryDirectory {
        let folder = TemporaryDirectory()
        let tensor = TensorView(name: "x", shape: [1], float32: [1])
        var writer = SafetensorsWriter()
        try writer.add(tensor)
        try writer.write(to: folder.file("a.safetensors"))
        try TorchFileWriter.write(to: folder.file("a.pth")) { try $0.add(tensor) }
        try AtomicFile.write(
            " \n{\"weight_map\":{\"x\":\"a.safetensors\"}}", to: folder.file("a.safetensors.index.json"))
        return folder
    }

    private func copy(_ folder: TemporaryDirectory, _ from: String, _ to: String) throws {
        try AtomicFile.write(MappedFile(path: folder.file(from)).withBytes { Array($0) }, to: folder.file(to))
    }

    @Test("The content counts, not the name")
    func content() throws {
        let folder = try folder()
        for name in ["a.safetensors", "a.pth", "a.safetensors.index.json"] {
            try copy(folder, name, "renamed.bin")
            for name in [name, "renamed.bin"] { #expect(try openWeights(folder.file(name)).float32("x") == [1]) }
        }
        try copy(folder, "a.pth", "renamed.bin")
        #expect(try openWeights(folder.file("renamed.bin")) is TorchFile)
        #expect(try openWeights(folder.file("a.safetensors")) is SafetensorsFile)
        #expect(try openWeights(folder.file("a.safetensors.index.json")) is ShardedSafetensors)
    }

    @Test("A safetensors header whose length begins with a brace or a P is none of an index or a zip file")
    func ambiguous() throws {
        // 0x7B is a brace, 0x50 a P: headers of 123 + 256 and of 0x50 bytes.
        for length in [123 + 256, 0x50] {
            let text = Array("{}".utf8) + [UInt8](repeating: 32, count: length - 2)
            let bytes = ZipText.little(UInt64(length)) + text
            #expect(try bytes.withUnsafeBytes { try WeightsFormat($0, name: "x") } == .safetensors)
        }
    }

    @Test("Of a folder: the index, else the only safetensors file, else the only torch file")
    func folders() throws {
        let folder = try folder()
        try AtomicFile.write("{}", to: folder.file("config.json"))
        #expect(try openWeights(folder.path) is ShardedSafetensors)
        folder.remove("a.safetensors.index.json")
        #expect(try openWeights(folder.path) is SafetensorsFile)
        try copy(folder, "a.safetensors", "b.safetensors")
        let two = try #require(throws: VernierError.self) { _ = try openWeights(folder.path) }
        #expect(
            two.code == .fileAccess && two.description.contains("found a.safetensors, b.safetensors. Name the file"))
        folder.remove("a.safetensors")
        folder.remove("b.safetensors")
        #expect(try openWeights(folder.path + "/") is TorchFile)
        folder.remove("a.pth")
        folder.folder("a.pth")
        let none = try #require(throws: VernierError.self) { _ = try openWeights(folder.path) }
        #expect(none.code == .fileAccess && none.description.contains("found none"))
        let missing = try #require(throws: VernierError.self) { _ = try openWeights(folder.file("no")) }
        #expect(missing.code == .fileAccess)
    }

    @Test(
        "Anything else is named by what it is",
        arguments: [
            ([], "found an empty file"), ([1, 2, 3], "a file that begins with the bytes 01 02 03"),
            (Array("GGUF\u{3}\u{0}\u{0}\u{0}".utf8), "begins with the bytes 47 47 55 46 03 00 00 00"),
            (Array("  \n".utf8), "begins with the bytes 20 20 0a"),
            (
                [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E],
                "expected a torch file of version 1.6 or later (a zip file), found the older format"
            ),
        ] as [([UInt8], String)])
    func others(bytes: [UInt8], message: String) throws {
        let folder = TemporaryDirectory()
        try AtomicFile.write(bytes, to: folder.file("model.safetensors"))
        let error = try #require(throws: VernierError.self) { _ = try openWeights(folder.file("model.safetensors")) }
        #expect(error.code == .unsupportedVersion && error.description.contains(message), "\(error)")
        #expect(error.place == "model.safetensors")
    }
}
