import Checkpoints
import Foundation
import Generation
import TestSupport
import Testing
import VernierCore

@testable import Conversion

/// Synthetic checkpoints as files: what is written, that it loads and draws, and that a seed gives the same bytes.
@Suite struct SyntheticCheckpointTests {
    private let folder = TemporaryDirectory()

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    private func listing(_ path: String) throws -> [String] {
        let found = try #require(FileManager.default.enumerator(atPath: path))
        return found.compactMap { $0 as? String }.sorted()
    }

    @Test(arguments: SmallRelease.all.map(\.name)) func aDirectoryLoadsAndDraws(_ name: String) throws {
        let release = try #require(SmallRelease.all.first { $0.name == name }), path = folder.file("model")
        try SmallRelease.checkpoint(release).writeDirectory(to: path)
        #expect(try ModelConfiguration(path: "\(path)/config.json") == release.configuration)
        let model = try ImageModel(path: path)
        let prompt = CorpusPrompt(index: 0, subject: name == "small-var" ? .imageClass(2) : .text("a red circle"))
        let picture = try ImageGenerator(model: model).generate(
            [try model.request(for: prompt, seed: 1)], settings: model.defaultSettings)[0].picture
        #expect(Set(picture.pixels).count > 30, "no constant picture")
    }

    @Test func theSameSeedGivesTheSameFiles() throws {
        for (name, seed) in [("a", 7), ("b", 7), ("c", 8)] {
            try SmallRelease.checkpoint(SmallRelease.infinity, seed: UInt64(seed)).writeDirectory(to: folder.file(name))
            try SmallRelease.checkpoint(SmallRelease.infinity, seed: UInt64(seed)).writeReleasedFiles(
                to: folder.file("\(name)-released"))
        }
        let files = try listing(folder.file("a")), released = try listing(folder.file("a-released"))
        #expect(
            files == [
                "config.json", "text_encoder", "text_encoder/config.json", "text_encoder/model.safetensors",
                "text_encoder/spiece.model", "tokenizer.safetensors", "transformer.safetensors",
            ])
        #expect(
            released == [
                "flan-t5-xl", "flan-t5-xl/config.json", "flan-t5-xl/model.safetensors", "flan-t5-xl/spiece.model",
                "infinity_125M_256x256.pth", "infinity_vae_d16.pth",
            ])
        for (suffix, names) in [("", files), ("-released", released)] {
            for name in names where name.contains(".") {
                let isWeights = !name.hasSuffix(".json") && !name.hasSuffix(".model")
                let one = try bytes(folder.file("a\(suffix)/\(name)"))
                #expect(one == (try bytes(folder.file("b\(suffix)/\(name)"))), "\(name)")
                #expect((one == (try bytes(folder.file("c\(suffix)/\(name)")))) == !isWeights, "\(name)")
            }
        }
    }

    @Test func releasedFilesHoldTheNamesOfTheRelease() throws {
        try SmallRelease.checkpoint(SmallRelease.classes).writeReleasedFiles(to: folder.file("var"))
        #expect(try listing(folder.file("var")) == ["vae_ch160v4096z32.pth", "var_d3.pth"])
        let flat = try TorchFile(path: folder.file("var/vae_ch160v4096z32.pth"))
        #expect(
            flat.tensorNames.contains("quantize.embedding.weight") && flat.tensorNames.contains("encoder.conv_in.bias"))
        try SmallRelease.checkpoint(SmallRelease.patched).writeReleasedFiles(to: folder.file("inf"))
        #expect(
            try listing(folder.file("inf")).filter { !$0.hasPrefix("flan") } == [
                "infinity_8b_weights", "infinity_8b_weights/model.safetensors", "infinity_vae_d56_f8_14_patchify.pth",
            ])
        let nested = try TorchFile(path: folder.file("inf/infinity_vae_d56_f8_14_patchify.pth"))
        #expect(nested.tensorNames.allSatisfy { $0.hasPrefix("vae.") })
    }

    @Test func shardsHoldAtMostTheirBytesAndReadAsOne() throws {
        let tensors = (0..<5).map { index in
            PendingTensor(name: "t\(index)", elementType: .f32, shape: [3, index + 1]) {
                TensorView(
                    name: "t\(index)", shape: [3, index + 1],
                    float32: (0..<3 * (index + 1)).map { Float(10 * index + $0) })
            }
        }
        let writer = TensorFileWriter(stage: "test", totalBytes: tensors.byteCount, progress: nil)
        try writer.writeShards(tensors, largestBytes: 90, toFolder: folder.path)
        let read = try ShardedSafetensors(path: folder.file("model.safetensors.index.json"))
        // 12 + 24 + 36 bytes, then 48, then 60.
        #expect(read.shards.map { $0.tensorNames.count } == [3, 1, 1])
        #expect(read.shards.map(\.sourceName).last == "model-00003-of-00003.safetensors")
        for tensor in tensors { #expect(try read.float32(tensor.name) == tensor.make().float32()) }
    }

    @Test func whatCannotBeMadeIsRefused() throws {
        let small = SmallRelease.infinity
        func expectRefusal(_ text: String, _ body: () throws -> Void) {
            #expect { try body() } throws: { "\($0)".contains(text) }
        }
        expectRefusal("expected a SentencePiece model for the text encoder") { _ = try SyntheticCheckpoint(of: small) }
        expectRefusal("expected F32 or BF16, found F16") { _ = try SyntheticCheckpoint(of: small, floatType: .f16) }
        expectRefusal("text layers: expected 1 to 1024, found 0") {
            _ = try SyntheticCheckpoint(of: small, textLayers: 0, pieces: Golden.path("tok-a.spiece.model"))
        }
        expectRefusal("expected no text encoder, as the model draws classes") {
            _ = try SyntheticCheckpoint(of: SmallRelease.classes, textLayers: 3)
        }
        try AtomicFile.write("x", to: folder.file("file"))
        let checkpoint = try SmallRelease.checkpoint(SmallRelease.classes)
        expectRefusal("expected nothing, or an empty folder, found a file") {
            try checkpoint.writeDirectory(to: folder.file("file"))
        }
        expectRefusal("found a folder with files") { try checkpoint.writeDirectory(to: folder.path) }
        expectRefusal("cannot make a folder there") { try checkpoint.writeDirectory(to: folder.file("none/model")) }
        #expect(try listing(folder.path) == ["file"], "nothing is left behind")
    }
}
