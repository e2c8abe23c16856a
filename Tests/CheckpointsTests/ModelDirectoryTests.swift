import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

@Suite("Model directory")
struct ModelDirectoryTests {
    private func complete() throws -> TemporaryDirectory {
        let folder = TemporaryDirectory()
        folder.folder("text_encoder")
        var writer = SafetensorsWriter()
        try writer.add(TensorView(name: "x", shape: [1], float32: [1]))
        for name in ["transformer", "tokenizer", "text_encoder/model"] {
            try writer.write(to: folder.file("\(name).safetensors"))
        }
        try AtomicFile.write(ConfigurationText().text, to: folder.file("config.json"))
        try AtomicFile.write("{}", to: folder.file("text_encoder/config.json"))
        try AtomicFile.write("x", to: folder.file("text_encoder/spiece.model"))
        return folder
    }

    @Test("A complete folder opens, and its identity carries the digests")
    func opens() throws {
        let folder = try complete()
        let directory = try ModelDirectory(path: folder.path)
        #expect(directory.configuration.name == "tangram")
        #expect(try directory.openTransformer().tensorNames == ["x"])
        #expect(try directory.openImageTokenizer().sourceName == "tokenizer.safetensors")
        #expect(directory.textEncoderPath == folder.file("text_encoder"))
        #expect(directory.textTokenizerPath == folder.file("text_encoder/spiece.model"))
        let identity = try directory.identity()
        #expect(identity.layers == 8 && identity.heads == 4 && identity.headWidth == 32 && identity.branches == 2)
        #expect(identity.shapeDigest == directory.configuration.shapeDigest)
        #expect(try identity.weightsDigest == weightsDigest(of: directory.openTransformer()))
    }

    @Test("All missing files stand in one error")
    func missing() throws {
        let folder = try complete()
        let empty = TemporaryDirectory()
        let error = try #require(throws: VernierError.self) { _ = try ModelDirectory(path: empty.path) }
        #expect(error.code == .fileAccess)
        for name in [
            "config.json", "transformer.safetensors", "tokenizer.safetensors", "text_encoder/config.json",
            "text_encoder/model.safetensors", "text_encoder/spiece.model",
        ] {
            #expect(error.description.contains("no \(name)"))
        }
        // A folder in the place of a file is missing too.
        let other = try complete()
        other.remove("text_encoder/spiece.model")
        other.folder("text_encoder/spiece.model")
        other.remove("tokenizer.safetensors")
        let two = try #require(throws: VernierError.self) { _ = try ModelDirectory(path: other.path) }
        #expect(two.description.contains("found no tokenizer.safetensors, no text_encoder/spiece.model."))
        folder.remove("config.json")
        try AtomicFile.write("{\"format\":", to: folder.file("config.json"))
        let malformed = try #require(throws: VernierError.self) { _ = try ModelDirectory(path: folder.path) }
        #expect(malformed.code == .malformedFile && malformed.place.hasPrefix("config.json"))
    }
}
