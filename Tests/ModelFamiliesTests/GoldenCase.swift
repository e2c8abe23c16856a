import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import VernierCore

/// A golden model case (`inf-a`, `inf-b`, `var-a`, `var-b`): weights, inputs and what the official code computed from
/// them. The options are what the case was made to test.
struct GoldenCase {
    let run: SafetensorsFile
    let caches: SafetensorsFile
    let config: JSONCursor
    let model: any NextScaleModel
    /// One condition a sequence, all conditional ones first.
    let conditions: [ImageCondition]
    let settings: SamplingSettings
    /// Choices `[scale][image][n_k, perToken]` that the official run was forced to.
    let choices: [[[Int32]]]
    let images: Int
    /// The sequences and the image that are stored.
    let storedRows: [Int]
    let imageRow: Int
    /// The tensor with the summed codes, `[B, d, h, w]`.
    let codeTensor: String

    var stack: TransformerStack { model.stack }
    var sequences: Int { conditions.count }
    var seeds: [UInt64] { (0..<UInt64(images)).map { $0 + 1 } }

    init(_ name: String) throws {
        let run = try Golden.open("\(name).run"), config = try run.config
        if name.hasPrefix("var") {
            (model, conditions, settings) = try Self.variant(name, run: run, config: config)
            codeTensor = "out.f_hat"
        } else {
            (model, conditions, settings) = try Self.infinity(name, run: run, config: config)
            codeTensor = "out.code"
        }
        let images = conditions.count / 2, model = model
        choices = try (0..<model.stack.schedule.scaleCount).map { scale in
            let values =
                model.choices.values == 2
                ? try run.uint8("in.bits.\(scale)").map { Int32($0) } : try run.int32("in.tokens.\(scale)")
            let each = values.count / images
            return (0..<images).map { Array(values[($0 * each)..<(($0 + 1) * each)]) }
        }
        self.run = run
        self.config = config
        self.images = images
        caches = try Golden.open("\(name).cache")
        storedRows = try config.member("stored_rows").integers()
        imageRow = try config.member("image_rows").integers()[0]
    }

    func makeCache(
        images: Int? = nil, capacities: CellCapacities? = nil, selector: any SlotSelector = SlidingWindowRule()
    ) throws -> KVCache {
        try KVCache(
            geometry: stack.geometry(branches: 2, images: images ?? self.images),
            capacities: capacities ?? stack.fullCapacities, selector: selector)
    }

    /// Runs the case's conditions with its forced choices, or whatever else the hooks ask for.
    func generate(_ cache: KVCache, hooks: GenerationHooks = GenerationHooks()) throws -> NextScaleGenerator.Output {
        var hooks = hooks
        if hooks.forcedChoices == nil { hooks.forcedChoices = choices }
        return try NextScaleGenerator(model: model, cache: cache).generate(
            conditions: conditions, seeds: seeds, settings: settings, hooks: hooks)
    }

    private typealias Parts = (any NextScaleModel, [ImageCondition], SamplingSettings)

    private static func grid(_ sides: [Int]) -> ScaleSchedule.Grid { .init(height: sides[0], width: sides[1]) }

    private static func infinity(_ name: String, run: SafetensorsFile, config: JSONCursor) throws -> Parts {
        let schedule = try ScaleSchedule(
            grids: try config.member("scales").elements().map { grid(try $0.integers()) },
            ropeGrid: grid(try config.member("rope_reference_grid").integers()))
        let vae = try Golden.open(try config.member("vae_file").string()), vaeConfig = try vae.config
        let textWidth = try config.member("text_dim").integer()
        let shape = InfinityShape(
            depth: try config.member("depth").integer(), blockChunks: try config.member("block_chunks").integer(),
            width: try config.member("embed_dim").integer(), heads: try config.member("num_heads").integer(),
            mlpWidth: try config.member("mlp_hidden").integer(), textWidth: textWidth,
            textPoolHeads: try config.member("pool_heads").integer(),
            bits: try config.member("bits_per_token").integer(), schedule: schedule,
            spatialPatchify: try config.member("spatial_patchify").bool(),
            tokenizerBaseChannels: try vaeConfig.member("ch").integer(),
            tokenizerMultipliers: try vaeConfig.member("ch_mult").integers())
        let transformer = try InfinityTransformer(
            shape: shape, tensors: try Golden.open("\(name).weights").tensors(under: "transformer."))
        let decoder = try ImageDecoder(
            kind: .binary, channels: shape.tokenizerBits, baseChannels: shape.tokenizerBaseChannels,
            multipliers: shape.tokenizerMultipliers, tensors: vae.tensors(under: "vae."))
        let model = InfinityModel(transformer: transformer, decoder: decoder)

        func rows(_ values: String, _ lengths: String) throws -> [ImageCondition] {
            let packed = try run.float32(values)
            var start = 0
            return try run.int32(lengths).map { length in
                defer { start += Int(length) * textWidth }
                return .text(
                    TextRows(
                        count: Int(length), width: textWidth,
                        values: Array(packed[start..<(start + Int(length) * textWidth)])))
            }
        }
        let conditional = try rows("in.text", "in.text_lens")
        let unconditional =
            run.tensorNames.contains("in.negative_text")
            ? try rows("in.negative_text", "in.negative_text_lens")
            : try conditional.map { try model.unconditional(for: $0) }
        return (
            model, conditional + unconditional,
            SamplingSettings(
                guidance: try run.float32("in.cfg"), temperature: try run.float32("in.tau"), topK: 900, topP: 0.97)
        )
    }

    private static func variant(_ name: String, run: SafetensorsFile, config: JSONCursor) throws -> Parts {
        let shape = try varShape(config)
        let model = VARModel(
            transformer: try VARTransformer(
                shape: shape, tensors: try Golden.open("\(name).weights").tensors(under: "transformer.")),
            tokenizer: try VARTokenizer(
                shape: shape,
                tensors: try Golden.open(try config.member("vae_file").string()).tensors(under: "vae.")))
        let conditional = try run.int32("in.class_ids").map { ImageCondition.imageClass(Int($0)) }
        return (
            model, conditional + (try conditional.map { try model.unconditional(for: $0) }),
            SamplingSettings(
                guidance: Float(try config.member("cfg").number()), temperature: 1, topK: 20, topP: 0.95)
        )
    }

    /// The sizes of a VAR case.
    static func varShape(_ config: JSONCursor) throws -> VARShape {
        let grids = try config.member("patch_nums").integers().map { grid([$0, $0]) }
        let vaeConfig = try Golden.open(try config.member("vae_file").string()).config
        return VARShape(
            depth: try config.member("depth").integer(), width: try config.member("embed_dim").integer(),
            heads: try config.member("num_heads").integer(), mlpWidth: try config.member("mlp_hidden").integer(),
            classes: try config.member("num_classes").integer(),
            codebookSize: try config.member("vocab_size").integer(),
            codeChannels: try config.member("z_channels").integer(),
            schedule: try ScaleSchedule(grids: grids, ropeGrid: grids[grids.count - 1]),
            tokenizerBaseChannels: try vaeConfig.member("ch").integer(),
            tokenizerMultipliers: try vaeConfig.member("ch_mult").integers())
    }
}

/// Keeps the probabilities of one layer at chosen scales.
final class ProbabilityRecorder: AttentionObserver {
    let topCounts: [Int32] = []
    let wantsProbabilities = true
    let layer: Int
    let scales: Set<Int>
    /// [scale][sequence] -> `[H, n, T]`.
    var recorded: [Int: [Int: [Float]]] = [:]

    init(layer: Int, scales: Set<Int>) {
        self.layer = layer
        self.scales = scales
    }

    func observe(_ record: AttentionRecord) {
        guard record.layer == layer, scales.contains(record.scale), let probabilities = record.probabilities else {
            return
        }
        recorded[record.scale, default: [:]][record.sequence, default: []] += Array(probabilities)
    }
}
