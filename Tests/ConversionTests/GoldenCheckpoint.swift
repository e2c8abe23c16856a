import Checkpoints
import ProfileFormat
import TestSupport
import Testing
import TextEncoding
import VernierCore

@testable import Conversion

/// A golden model case written as checkpoints are distributed, and the model directory that it must become.
struct GoldenCheckpoint {
    /// How the files are written.
    enum Form: String, CaseIterable {
        /// Torch files: the tokeniser under `vae`, the transformer under a trainer's keys beside its moving averages.
        case nestedTorch
        /// Safetensors in shards with an index, a folder each part.
        case shards
        /// One safetensors file each part.
        case single
    }

    let name: String
    let isInfinity: Bool
    let transformer: PrefixedTensors
    let tokenizer: PrefixedTensors
    /// The numbers as the case states them.
    let configuration: ModelConfiguration
    private let textSizes: T5Configuration

    init(_ name: String) throws {
        self.name = name
        let weights = try Golden.open("\(name).weights"), config = try weights.config
        let vae = try Golden.open(try config.member("vae_file").string()), vaeConfig = try vae.config
        func number(_ key: String) throws -> Int { try config.member(key).integer() }
        let base = try vaeConfig.member("ch").integer(), multipliers = try vaeConfig.member("ch_mult").integers()
        transformer = weights.tensors(under: "transformer.")
        tokenizer = vae.tensors(under: "vae.")
        isInfinity = name.hasPrefix("inf")
        guard isInfinity else {
            let grids = try config.member("patch_nums").integers().map { ScaleSchedule.Grid(height: $0, width: $0) }
            configuration = ModelConfiguration(
                name: name,
                architecture: .var(
                    VARConfiguration(
                        depth: try number("depth"), width: try number("embed_dim"), heads: try number("num_heads"),
                        mlpWidth: try number("mlp_hidden"), classes: try number("num_classes"),
                        codebookSize: try number("vocab_size"), codeChannels: try number("z_channels"),
                        baseChannels: base, channelMultipliers: multipliers)),
                schedule: try ScaleSchedule(grids: grids, ropeGrid: grids[grids.count - 1]),
                sampling: SamplingDefaults(guidance: 4, temperature: 1, topK: 900, topP: 0.95))
            textSizes = .flanXL
            return
        }
        func grid(_ cursor: JSONCursor) throws -> ScaleSchedule.Grid {
            let sides = try cursor.integers()
            return ScaleSchedule.Grid(height: sides[0], width: sides[1])
        }
        let reference = try grid(config.member("rope_reference_grid"))
        let isPatched = try config.member("spatial_patchify").bool(), bits = try number("bits_per_token")
        configuration = ModelConfiguration(
            name: name,
            architecture: .infinity(
                InfinityConfiguration(
                    transformer: TransformerConfiguration(
                        depth: try number("depth"), blockChunks: try number("block_chunks"),
                        width: try number("embed_dim"), heads: try number("num_heads"),
                        mlpWidth: try number("mlp_hidden"), textWidth: try number("text_dim"),
                        textPoolHeads: try number("pool_heads"), bits: bits, ropeGrid: reference),
                    tokenizer: ImageTokenizerConfiguration(
                        bits: isPatched ? bits / 4 : bits, baseChannels: base, channelMultipliers: multipliers,
                        spatialPatchify: isPatched),
                    maximumTextTokens: try transformer.view("cfg_uncond").shape[0])),
            schedule: try ScaleSchedule(
                grids: config.member("scales").elements().map(grid), ropeGrid: reference),
            sampling: SamplingDefaults(guidance: 3, temperature: 1, topK: 900, topP: 0.97))
        textSizes = T5Configuration(
            width: try number("text_dim"), mlpWidth: 64, headWidth: 16, heads: 2, layers: 2, idCount: 700)
    }

    /// What the shapes cannot tell.
    var options: ConversionOptions {
        let official = isInfinity ? InfinitySchedule(of: configuration.schedule) : nil
        return ConversionOptions(
            name: name, schedule: ScheduleChoice(resolution: official?.resolution, aspect: official?.aspect))
    }

    /// Writes the model directory by hand.
    func writeDirectory(to path: String) throws {
        try AtomicFolder.make(path) { folder in
            try Self.writer.writeSafetensors(Self.pending(transformer), to: "\(folder)/transformer.safetensors")
            try Self.writer.writeSafetensors(Self.pending(tokenizer), to: "\(folder)/tokenizer.safetensors")
            try AtomicFile.write(configuration.json().canonicalText(), to: "\(folder)/config.json")
            guard isInfinity else { return }
            try writeTextEncoder(to: "\(folder)/text_encoder", hasDecoder: false)
        }
    }

    /// Writes a checkpoint; returns the paths to convert.
    func write(_ form: Form, to path: String) throws -> [String] {
        try AtomicFolder.make(path) { folder in
            if isInfinity { try writeTextEncoder(to: "\(folder)/flan-t5", hasDecoder: true) }
            let weights = try Self.pending(transformer)
            // What the converter must leave out.
            let codes =
                try Self.pending(tokenizer) + [Self.extra("encoder.conv_in.weight"), Self.extra("quant_conv.bias")]
            switch form {
            case .nestedTorch:
                let averages = weights.map { Self.renamed($0, "gpt_ema_fsdp.\($0.name)") }
                try Self.writer.writeTorch(
                    weights.map { Self.renamed($0, "gpt_fsdp.\($0.name)") } + averages, under: "trainer",
                    to: "\(folder)/model.pth")
                try Self.writer.writeTorch(codes, under: "vae", to: "\(folder)/vae.pth")
            case .shards:
                for (name, tensors) in [("model", weights), ("vae", codes)] {
                    try ModelPart.makeFolder("\(folder)/\(name)")
                    try Self.writer.writeShards(
                        tensors, largestBytes: tensors.byteCount / 3, toFolder: "\(folder)/\(name)")
                }
            case .single:
                try Self.writer.writeSafetensors(weights, to: "\(folder)/model.safetensors")
                try Self.writer.writeSafetensors(codes, to: "\(folder)/vae.safetensors")
            }
        }
        // One folder with everything, or every file by itself.
        guard form == .nestedTorch else { return [path] }
        return ["\(path)/vae.pth", "\(path)/model.pth"] + (isInfinity ? ["\(path)/flan-t5"] : [])
    }

    func writeTextEncoder(to folder: String, hasDecoder: Bool) throws {
        try ModelPart.makeFolder(folder)
        let tensors = SyntheticCheckpoint.pending(.t5Encoder(textSizes), seed: 4, floatType: .f32)
        let table = try #require(tensors.first { $0.name == "shared.weight" })
        let more =
            hasDecoder
            ? [
                Self.renamed(table, "encoder.embed_tokens.weight"), Self.extra("decoder.final_layer_norm.weight"),
                Self.extra("lm_head.weight"),
            ] : []
        try Self.writer.writeSafetensors(tensors + more, to: "\(folder)/model.safetensors")
        try AtomicFile.write(textSizes.json().canonicalText(), to: "\(folder)/config.json")
        try ModelPart.copy(Golden.path("tok-a.spiece.model"), to: "\(folder)/spiece.model")
    }

    // MARK: Tensors

    static var writer: TensorFileWriter { TensorFileWriter(stage: "test", totalBytes: 0, progress: nil) }

    static func pending(_ source: some TensorSource) throws -> [PendingTensor] {
        try source.tensorNames.map { name in
            let view = try source.view(name)
            return PendingTensor(name: name, elementType: view.elementType, shape: view.shape) {
                view.renamed(name)
            }
        }
    }

    static func renamed(_ tensor: PendingTensor, _ name: String) -> PendingTensor {
        PendingTensor(name: name, elementType: tensor.elementType, shape: tensor.shape) {
            try tensor.make().renamed(name)
        }
    }

    static func extra(_ name: String, shape: [Int] = [2]) -> PendingTensor {
        PendingTensor(name: name, elementType: .f32, shape: shape) {
            TensorView(name: name, shape: shape, float32: Array(repeating: 1, count: shape.reduce(1, *)))
        }
    }
}
