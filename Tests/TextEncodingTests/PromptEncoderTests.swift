import Checkpoints
import TestSupport
import Testing
import VernierCore

@testable import TextEncoding

@Suite("Prompt encoder")
struct PromptEncoderTests {
    /// A model folder around the golden tokeniser and a small encoder with random weights.
    private func folder(textWidth: Int = 16, embeddingRows: Int = 620) throws -> TemporaryDirectory {
        let folder = TemporaryDirectory()
        folder.folder("text_encoder")
        try AtomicFile.write(
            """
            {"format":"vernier-model","version":1,"family":"infinity","name":"test",
             "transformer":{"depth":1,"block_chunks":1,"width":16,"heads":1,"mlp_width":16,"text_width":\(textWidth),
                            "text_pool_heads":1,"bits":16,"rope_grid":[2,2]},
             "schedule":[[1,1],[2,2]],
             "tokenizer":{"bits":16,"base_channels":32,"channel_multipliers":[1],"spatial_patchify":false},
             "text_encoder":{"max_tokens":6},
             "sampling":{"guidance":1,"temperature":1,"top_k":0,"top_p":0}}
            """, to: folder.file("config.json"))
        try AtomicFile.write(
            """
            {"d_model":16,"d_ff":24,"d_kv":4,"num_heads":2,"num_layers":2,"vocab_size":\(embeddingRows),
             "layer_norm_epsilon":1e-6,"relative_attention_num_buckets":32,"relative_attention_max_distance":128,
             "feed_forward_proj":"gated-gelu"}
            """, to: folder.file("text_encoder/config.json"))
        var random = SplitMix64(seed: 3)
        var shapes: [(name: String, shape: [Int])] = [
            ("shared.weight", [embeddingRows, 16]), ("encoder.final_layer_norm.weight", [16]),
            ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", [32, 2]),
        ]
        let configuration = try T5Configuration(path: folder.file("text_encoder/config.json"))
        for block in 0..<2 {
            shapes += T5Block.shapes(configuration).map { ("encoder.block.\(block).\($0.name)", $0.shape) }
        }
        var writer = SafetensorsWriter()
        for (name, shape) in shapes {
            try writer.add(TensorView(name: name, shape: shape, float32: random.floats(shape.reduce(1, *))))
        }
        try writer.write(to: folder.file("text_encoder/model.safetensors"))
        for name in ["transformer.safetensors", "tokenizer.safetensors"] {
            try SafetensorsWriter().write(to: folder.file(name))
        }
        let model = try MappedFile(path: Golden.path("tok-a.spiece.model"))
        defer { withExtendedLifetime(model) {} }
        try AtomicFile.write(model.bytes, to: folder.file("text_encoder/spiece.model"))
        return folder
    }

    @Test("A prompt becomes one row for each token, cut at the model's limit")
    func prompts() throws {
        let folder = try folder()
        let prompts = try PromptEncoder(ModelDirectory(path: folder.path))
        #expect(try prompts.encode("").rows == 1)
        let long = try prompts.encode("a large red square left of a small blue circle")
        #expect(long.rows == 6 && long.width == 16)
        let ids = try prompts.tokenizer.encode("hello <extra_id_0>")
        #expect(ids.suffix(2) == [619, 1])
        #expect(try prompts.encode("hello <extra_id_0>") == prompts.encoder.encode(ids: ids))
    }

    @Test("An encoder too small for the extra ids goes without them; one too small for the pieces is refused")
    func smallTables() throws {
        let small = try folder(embeddingRows: 520)
        let prompts = try PromptEncoder(ModelDirectory(path: small.path))
        #expect(prompts.tokenizer.idCount == 520)
        #expect(try prompts.tokenizer.encode("<extra_id_0>").allSatisfy { $0 < 520 })
        #expect(try prompts.encode("<extra_id_0>").rows == 6)
        let smaller = try folder(embeddingRows: 519)
        let error = try #require(throws: VernierError.self) {
            _ = try PromptEncoder(ModelDirectory(path: smaller.path))
        }
        #expect(error.code == .mismatch && error.description.contains("encoder's 519 pieces, found 520"))
    }

    @Test("An encoder of another width than the transformer expects is refused")
    func width() throws {
        let folder = try folder(textWidth: 32)
        let error = try #require(throws: VernierError.self) { _ = try PromptEncoder(ModelDirectory(path: folder.path)) }
        #expect(error.code == .mismatch)
        #expect(error.description.contains("expected d_model 32, the transformer's text_width, found 16"))
    }

    private static let tangram = "\(Golden.folder)/../../Calibration/Models/tangram"
    private static let hasTangram = (try? MappedFile(path: "\(tangram)/config.json")) != nil

    @Test("The model that comes with the repository encodes a prompt", .enabled(if: hasTangram))
    func tangramModel() throws {
        let directory = try ModelDirectory(path: Self.tangram)
        let prompts = try PromptEncoder(directory)
        let features = try prompts.encode("a red square left of a blue circle")
        #expect(features.rows > 5 && features.width == 128)
        #expect(try !prompts.tokenizer.encode("a red square").contains(TextTokenizer.unknownID))
    }
}
