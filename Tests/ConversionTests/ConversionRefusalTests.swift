import Checkpoints
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import Conversion

/// What the converter refuses, in which words.
@Suite struct ConversionRefusalTests {
    /// A change of the checkpoint's tensors, by part.
    typealias Damage = @Sendable (_ part: String, _ tensors: [PendingTensor]) -> [PendingTensor]

    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let golden: String
        let options: ConversionOptions?
        let texts: [String]
        let damage: Damage

        init(
            _ what: String, _ golden: String, _ texts: String..., options: ConversionOptions? = nil,
            damage: @escaping Damage = { $1 }
        ) {
            testDescription = what
            self.golden = golden
            self.options = options
            self.texts = texts
            self.damage = damage
        }
    }

    private static func without(_ text: String) -> Damage {
        { _, tensors in tensors.filter { !$0.name.contains(text) } }
    }

    private static func adding(_ name: String, to wanted: String) -> Damage {
        { part, tensors in part == wanted ? tensors + [GoldenCheckpoint.extra(name)] : tensors }
    }

    /// One tensor in another shape.
    private static func reshaping(_ name: String, _ shape: [Int]) -> Damage {
        { _, tensors in tensors.map { $0.name == name ? GoldenCheckpoint.extra(name, shape: shape) : $0 } }
    }

    static let refusals = [
        Refusal(
            "no transformer", "inf-a", "expected a transformer", "mat_q' (Infinity) or 'pos_1LC' (VAR)",
            damage: {
                $0 == "transformer" ? [] : $1
            }),
        Refusal(
            "no tokeniser and no text encoder", "inf-a", "expected Infinity's image tokeniser, found none",
            "expected a T5 text encoder", "infinity_vae_d16.pth of FoundationVision/Infinity", "google/flan-t5-xl",
            damage: { $0 == "transformer" ? $1 : [] }),
        Refusal("no tokeniser", "var-b", "expected VAR's image tokeniser, found none", "vae_ch160v4096z32.pth") {
            $0 == "transformer" ? $1 : []
        },
        Refusal(
            "the other family's tokeniser", "inf-a",
            "expected Infinity's image tokeniser, found the other family's in "
                + "vae.safetensors", damage: adding("quantize.embedding.weight", to: "vae")),
        Refusal(
            "a codebook of another size", "var-b",
            "vae.safetensors: expected the tokeniser of the transformer in "
                + "model.safetensors, 96 codes of 32 channels", "found one of 7 codes of 32",
            damage: reshaping("quantize.embedding.weight", [7, 32])),
        Refusal(
            "two transformers", "var-b",
            "expected one transformer, found 2: model.safetensors, under 'other'; model.safetensors. Name the files",
            damage: adding("other.pos_1LC", to: "transformer")),
        Refusal(
            "a tensor short", "inf-a", "no tensor 'block_chunks.1.module.1.ffn.fc2.bias' of shape [64]",
            damage: without("block_chunks.1.module.1.ffn.fc2.bias")),
        Refusal(
            "a block short", "inf-a", "no tensor 'block_chunks.1.module.0.ada_gss'",
            damage: without("block_chunks.1.module.0.")),
        Refusal(
            "a misshapen tensor", "inf-a", "tensor 'head.weight': expected shape [32, 64], found [31, 64]",
            damage: reshaping("head.weight", [31, 64])),
        Refusal(
            "a tensor of other dimensions", "inf-a", "tensor 'word_embed.weight': expected 2 dimensions",
            "found shape [64, 4, 4]", damage: reshaping("word_embed.weight", [64, 4, 4])),
        Refusal(
            "an empty tensor", "var-b", "expected 3 dimensions, none of them empty, found shape [1, 0, 64]",
            damage: reshaping("pos_1LC", [1, 0, 64])),
        Refusal(
            "another architecture's block", "inf-a", "found 'block_chunks.0.module.0.ffn.fcg.weight'",
            "another architecture",
            damage: adding("block_chunks.0.module.0.ffn.fcg.weight", to: "transformer")),
        Refusal(
            "a decoder with attention", "inf-a", "found 'decoder.mid.attn_1.qkv.conv.weight'",
            damage: adding("decoder.mid.attn_1.qkv.conv.weight", to: "vae")),
        Refusal(
            "blocks without chunks", "inf-a", "expected blocks in chunks",
            damage: adding("blocks.0.sa.mat_qkv.weight", to: "transformer")),
        Refusal(
            "a block of a huge number", "inf-a", "expected at most 1024 of 'block_chunks.'",
            damage: adding("block_chunks.99999999999999999999.module.0.x", to: "transformer")),
        Refusal(
            "too many blocks together", "inf-a", "transformer.depth: expected a whole number from 1 to 1024, found",
            damage: { part, tensors in
                part == "transformer"
                    ? tensors + [
                        GoldenCheckpoint.extra("block_chunks.1000.module.0.x"),
                        GoldenCheckpoint.extra("block_chunks.0.module.1000.x"),
                    ] : tensors
            }),
        Refusal(
            "levels that are too many", "inf-a", "expected at most 8 levels, found 10",
            damage: adding("decoder.up.9.x", to: "vae")),
        Refusal(
            "another model's tokeniser", "inf-a",
            "vae.safetensors: expected the tokeniser of the transformer in "
                + "model.safetensors, 16 bits a token, found one of 5 bits", "infinity_vae_d16.pth",
            damage: { part, tensors in
                tensors.map {
                    $0.name.hasPrefix("decoder.conv_in.") && $0.shape.count == 4
                        ? GoldenCheckpoint.extra($0.name, shape: [$0.shape[0], 5, 3, 3]) : $0
                }
            }),
        Refusal(
            "a text encoder of another width", "inf-a", "expected a text encoder of 256 channels",
            "found one of 384", damage: { $1 }),
        Refusal(
            "no resolution", "inf-a", "expected the resolution (--resolution 0.06M, 0.25M, 0.60M, 1M)",
            options: ConversionOptions()),
        Refusal(
            "heads for Infinity", "inf-a", "heads: expected none for Infinity", options: ConversionOptions(heads: 4)),
        Refusal(
            "a resolution for VAR", "var-b", "expected no resolution and no aspect",
            options: ConversionOptions(schedule: ScheduleChoice(resolution: .full))),
        Refusal(
            "wrong heads", "var-b", "heads: expected 2, as model.safetensors has them, found 4",
            options: ConversionOptions(heads: 4)),
        Refusal(
            "positions of no schedule", "var-b", "expected positions of 680 (256 pixels) or 2240 (512 pixels) tokens",
            "found 103", damage: without("lvl_1L")),
        Refusal(
            "scales out of order", "var-b", "'lvl_1L'", "expected scales that follow each other, found 3 at token 2",
            damage: { _, tensors in
                tensors.map { tensor in
                    guard tensor.name == "lvl_1L" else { return tensor }
                    return PendingTensor(name: tensor.name, elementType: .i32, shape: tensor.shape) {
                        TensorView(
                            name: tensor.name, shape: tensor.shape,
                            int32: (0..<103).map { $0 == 0 ? 0 : $0 == 1 ? 1 : 3 })
                    }
                }
            }),
        Refusal(
            "whole numbers as weights", "var-b", "tensor 'head.bias': expected F32, F16 or BF16, found I32",
            damage: { _, tensors in
                tensors.map { tensor in
                    guard tensor.name == "head.bias" else { return tensor }
                    return PendingTensor(name: tensor.name, elementType: .i32, shape: tensor.shape) {
                        TensorView(name: tensor.name, shape: tensor.shape, int32: Array(repeating: 1, count: 96))
                    }
                }
            }),
    ]

    @Test(arguments: refusals) func isRefused(_ refusal: Refusal) throws {
        let folder = TemporaryDirectory()
        let golden = try GoldenCheckpoint(refusal.golden)
        let encoder = try GoldenCheckpoint(refusal.testDescription.hasPrefix("a text encoder") ? "inf-b" : "inf-a")
        for (part, name, tensors) in [
            ("transformer", "model.safetensors", try GoldenCheckpoint.pending(golden.transformer)),
            ("vae", "vae.safetensors", try GoldenCheckpoint.pending(golden.tokenizer)),
        ] {
            let damaged = refusal.damage(part, tensors)
            if !damaged.isEmpty { try GoldenCheckpoint.writer.writeSafetensors(damaged, to: folder.file(name)) }
        }
        if golden.isInfinity, !refusal.damage("text", [GoldenCheckpoint.extra("x")]).isEmpty {
            try encoder.writeTextEncoder(to: folder.file("t5"), hasDecoder: true)
        }
        #expect {
            try CheckpointConversion(of: [folder.path], options: refusal.options ?? golden.options)
        } throws: { error in
            let text = "\(error)"
            let missing = refusal.texts.filter { !text.contains($0) }
            if !missing.isEmpty { Issue.record("\(missing) in: \(text)") }
            return error is VernierError
        }
    }

    @Test func filesBesideTheTextEncoderMustBeThere() throws {
        let folder = TemporaryDirectory(), golden = try GoldenCheckpoint("inf-a")
        let paths = try golden.write(.single, to: folder.file("source"))
        folder.remove("source/flan-t5/spiece.model")
        #expect {
            try CheckpointConversion(of: paths, options: golden.options)
        } throws: {
            "\($0)".contains(
                "expected config.json and spiece.model beside the text encoder's weights, found no spiece.model")
        }
        // A SentencePiece model may be given by itself.
        let conversion = try CheckpointConversion(
            of: paths + [Golden.path("tok-a.spiece.model")], options: golden.options)
        #expect(conversion.configuration == golden.configuration)
        try AtomicFile.write("{\"d_model\":256}", to: folder.file("source/flan-t5/config.json"))
        #expect {
            try CheckpointConversion(of: paths + [Golden.path("tok-a.spiece.model")], options: golden.options)
        } throws: { "\($0)".contains("config.json") }
    }

    @Test func placesThatHoldNothingOrSomethingElse() throws {
        let folder = TemporaryDirectory()
        func expectRefusal(_ paths: [String], _ text: String) {
            #expect { try CheckpointConversion(of: paths) } throws: { "\($0)".contains(text) }
        }
        expectRefusal([folder.path], "expected files of weights, found none")
        expectRefusal([folder.file("none.pth")], "none.pth: cannot open the file")
        try AtomicFile.write("These are notes.\n", to: folder.file("notes.txt"))
        expectRefusal([folder.file("notes.txt")], "notes.txt: expected safetensors, an index of safetensors or a torch")
        try AtomicFile.write("PK\u{3}\u{4} and no more", to: folder.file("bad.pth"))
        expectRefusal([folder.path], "bad.pth")
        expectRefusal([folder.file("a.model"), folder.file("b.model")], "expected one SentencePiece model, found two")
    }

    /// A folder, the files in it, and the index in it by itself name the same files.
    @Test func whatIsGivenTwiceCountsOnce() throws {
        let folder = TemporaryDirectory(), golden = try GoldenCheckpoint("var-b")
        let source = try golden.write(.shards, to: folder.file("source"))[0]
        let conversion = try CheckpointConversion(
            of: ["\(source)/model/model.safetensors.index.json", "\(source)/vae", source, "\(source)/model"],
            options: golden.options)
        #expect(conversion.configuration == golden.configuration)
    }

    @Test func whereSomethingStandsNothingIsWritten() throws {
        let folder = TemporaryDirectory(), golden = try GoldenCheckpoint("var-b")
        let conversion = try CheckpointConversion(
            of: golden.write(.single, to: folder.file("source")), options: golden.options)
        try AtomicFile.write("mine", to: folder.file("source/notes.txt"))
        #expect {
            try conversion.write(to: folder.file("source"))
        } throws: { "\($0)".contains("source: expected nothing, or an empty folder, found a folder with files") }
        #expect(try FolderListing.names(in: folder.path) == ["source"])
    }
}
