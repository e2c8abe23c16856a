import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import VernierCore

/// A golden Infinity case (`inf-a`, `inf-b`): weights, inputs and what the official code computed from them.
struct InfinityGoldenCase {
    let run: SafetensorsFile
    let caches: SafetensorsFile
    let transformer: InfinityTransformer
    let decoder: BSQDecoder
    let text: [TextRows]
    let settings: SamplingSettings
    let bits: [[[UInt8]]]
    let storedRows: [Int]
    let config: JSONCursor

    var shape: InfinityShape { transformer.shape }
    static let images = 2

    init(_ name: String) throws {
        let run = try Golden.open("\(name).run"), config = try run.config
        func grid(_ sides: [Int]) -> ScaleSchedule.Grid { .init(height: sides[0], width: sides[1]) }
        let schedule = try ScaleSchedule(
            grids: try config.member("scales").elements().map { grid(try $0.integers()) },
            ropeGrid: grid(try config.member("rope_reference_grid").integers()))
        let vae = try Golden.open(try config.member("vae_file").string())
        let vaeConfig = try vae.config
        let bitsPerToken = try config.member("bits_per_token").integer()
        let textWidth = try config.member("text_dim").integer()
        let shape = InfinityShape(
            depth: try config.member("depth").integer(), blockChunks: try config.member("block_chunks").integer(),
            width: try config.member("embed_dim").integer(), heads: try config.member("num_heads").integer(),
            mlpWidth: try config.member("mlp_hidden").integer(), textWidth: textWidth,
            textPoolHeads: try config.member("pool_heads").integer(), bits: bitsPerToken, schedule: schedule,
            spatialPatchify: try config.member("spatial_patchify").bool(),
            tokenizerBaseChannels: try vaeConfig.member("ch").integer(),
            tokenizerMultipliers: try vaeConfig.member("ch_mult").integers())
        let transformer = try InfinityTransformer(
            shape: shape, tensors: try Golden.open("\(name).weights").tensors(under: "transformer."))
        decoder = try BSQDecoder(
            bits: shape.tokenizerBits, baseChannels: shape.tokenizerBaseChannels,
            multipliers: shape.tokenizerMultipliers, tensors: vae.tensors(under: "vae."))

        func rows(_ values: String, _ lengths: String) throws -> [TextRows] {
            let packed = try run.float32(values)
            var start = 0
            return try run.int32(lengths).map { length in
                defer { start += Int(length) * textWidth }
                return TextRows(
                    count: Int(length), width: textWidth,
                    values: Array(packed[start..<(start + Int(length) * textWidth)]))
            }
        }
        let conditional = try rows("in.text", "in.text_lens")
        let unconditional =
            run.tensorNames.contains("in.negative_text")
            ? try rows("in.negative_text", "in.negative_text_lens")
            : conditional.map { transformer.unconditionalRows(count: $0.count) }
        self.run = run
        self.config = config
        self.transformer = transformer
        caches = try Golden.open("\(name).cache")
        text = conditional + unconditional
        settings = SamplingSettings(
            guidance: try run.float32("in.cfg"), temperature: try run.float32("in.tau"), topK: 900, topP: 0.97)
        bits = try (0..<schedule.scaleCount).map { scale in
            let values = try run.uint8("in.bits.\(scale)")
            let each = schedule.tokenCount(scale) * bitsPerToken
            return (0..<Self.images).map { Array(values[($0 * each)..<(($0 + 1) * each)]) }
        }
        storedRows = try config.member("stored_rows").integers()
    }

    func makeCache(capacities: CellCapacities? = nil, selector: any SlotSelector = SlidingWindowRule()) throws
        -> KVCache
    {
        let geometry = CacheGeometry(
            schedule: shape.schedule, layers: shape.depth, heads: shape.heads, headWidth: shape.headWidth, branches: 2,
            images: Self.images)
        return try KVCache(
            geometry: geometry,
            capacities: capacities ?? .full(schedule: shape.schedule, layers: shape.depth, heads: shape.heads),
            selector: selector)
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
