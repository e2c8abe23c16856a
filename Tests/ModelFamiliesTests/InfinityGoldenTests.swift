import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing

/// The Infinity family against the official code, with forced bits: `inf-a` (1:1, d16, learned empty text) and `inf-b`
/// (1.25, d14 with spatial patchify, negative prompt, guidance list). Tolerances as the golden files state them.
@Suite struct InfinityGoldenTests {
    static let names = ["inf-a", "inf-b"]

    /// Rows of the golden selection out of `[sequences, ...]`.
    private func rows(_ indices: [Int], of values: [Float], sequences: Int) -> [Float] {
        let each = values.count / sequences
        return indices.flatMap { values[($0 * each)..<(($0 + 1) * each)] }
    }

    @Test(arguments: names) func pooledTextAndContext(name: String) throws {
        let golden = try InfinityGoldenCase(name)
        let conditioning = InfinityConditioning(golden.transformer, text: golden.text)
        try expectClose(conditioning.pooled, golden.run.view("out.cond"), tolerance: 2e-5, what: "\(name): pooled text")
        try expectClose(
            conditioning.context.flatMap { $0 }, golden.run.view("out.context"), tolerance: 2e-5,
            what: "\(name): context")
    }

    @Test(arguments: names) func guidedLogitsHiddenStatesCodesAndImage(name: String) throws {
        let golden = try InfinityGoldenCase(name)
        let generator = InfinityGenerator(transformer: golden.transformer, cache: try golden.makeCache())
        var hooks = GenerationHooks()
        var logits: [Int: [Float]] = [:], hiddenIn: [Int: [Float]] = [:], hiddenOut: [Int: [Float]] = [:]
        hooks.logits = { logits[$0] = Array($1) }
        hooks.hiddenIn = { hiddenIn[$0] = $1 }
        hooks.hiddenOut = { hiddenOut[$0] = $1 }
        hooks.forcedBits = golden.bits
        let output = try generator.generate(text: golden.text, seeds: [1, 2], settings: golden.settings, hooks: hooks)
        for scale in 0..<golden.shape.schedule.scaleCount {
            try expectClose(
                rows(golden.storedRows, of: hiddenIn[scale] ?? [], sequences: 4),
                golden.run.view("out.hidden_in.\(scale)"),
                tolerance: 5e-4, what: "\(name), scale \(scale): hidden state before block 0")
            try expectClose(
                rows(golden.storedRows, of: hiddenOut[scale] ?? [], sequences: 4),
                golden.run.view("out.hidden_out.\(scale)"), tolerance: 5e-4,
                what: "\(name), scale \(scale): hidden state after the last block")
            try expectClose(
                logits[scale] ?? [], golden.run.view("out.logits.\(scale)"), tolerance: 5e-4,
                what: "\(name), scale \(scale): guided logits")
        }
        let shape = golden.shape, grid = shape.codeGrid, d = shape.tokenizerBits, pixels = grid.height * grid.width
        var codes: [Float] = []
        for code in output.codes {
            for c in 0..<d { for p in 0..<pixels { codes.append(code[p * d + c]) } }
        }
        try expectClose(codes, golden.run.view("out.code"), tolerance: 2e-5, what: "\(name): accumulated code")
        let row = try golden.config.member("image_rows").integers()[0]
        let image = golden.decoder.decode(output.codes[row], height: grid.height, width: grid.width)
        try expectClose(image, golden.run.view("out.image"), tolerance: 2e-4, what: "\(name): decoded image")
    }

    @Test(arguments: names) func cacheContentsAndAttentionProbabilities(name: String) throws {
        let golden = try InfinityGoldenCase(name)
        let cache = try golden.makeCache()
        let generator = InfinityGenerator(transformer: golden.transformer, cache: cache)
        let layer = try golden.config.member("attn_layer").integer()
        let scales = try golden.config.member("attn_scales").integers()
        let recorder = ProbabilityRecorder(layer: layer, scales: Set(scales))
        var hooks = GenerationHooks()
        hooks.forcedBits = golden.bits
        hooks.attention = recorder
        _ = try generator.generate(text: golden.text, seeds: [1, 2], settings: golden.settings, hooks: hooks)

        for scale in scales {
            let actual = golden.storedRows.flatMap { recorder.recorded[scale]?[$0] ?? [] }
            try expectClose(
                actual, golden.caches.view("out.attn.\(layer).\(scale)"), tolerance: 2e-4,
                what: "\(name): attention of block \(layer), scale \(scale)")
        }
        // The golden cache holds the last scale too; ours never stores it.
        let history = golden.shape.schedule.finalHistoryTokens, total = golden.shape.schedule.totalTokens
        let d = golden.shape.headWidth, heads = golden.shape.heads
        for block in try golden.config.member("cache_layers").integers() {
            let k = try golden.caches.float32("out.k.\(block)"), v = try golden.caches.float32("out.v.\(block)")
            for (place, sequence) in golden.storedRows.enumerated() {
                for head in 0..<heads {
                    let start = (place * heads + head) * total * d
                    let contents = cache.contents(sequence: sequence, layer: block, head: head)
                    expectClose(
                        contents.keys, Array(k[start..<(start + history * d)]), tolerance: 2e-4,
                        what: "\(name): keys of block \(block), sequence \(sequence), head \(head)")
                    expectClose(
                        contents.values, Array(v[start..<(start + history * d)]), tolerance: 2e-4,
                        what: "\(name): values of block \(block), sequence \(sequence), head \(head)")
                    expectSame(
                        cache.positions(sequence: sequence, layer: block, head: head), (0..<Int32(history)).map { $0 },
                        what: "\(name): positions")
                }
            }
        }
    }

    @Test func rotaryPositionsAndTables() throws {
        let basic = try Golden.open("basic-a")
        for item in try basic.config.member("rope").elements() {
            let index = try item.member("index").integer(), width = try item.member("head_dim").integer()
            let reference = try item.member("reference_grid").integers()
            let schedule = try ScaleSchedule(
                grids: try item.member("scales").elements().map {
                    let sides = try $0.integers()
                    return .init(height: sides[0], width: sides[1])
                }, ropeGrid: .init(height: reference[0], width: reference[1]))
            let positions = schedule.grids.flatMap { RotaryTables.positions(grid: $0, reference: schedule.ropeGrid) }
            expectSame(
                positions.flatMap { [Int32($0.y), Int32($0.x)] }, try basic.int32("rope.\(index).positions"),
                what: "positions \(index)")
            let tables = RotaryTables(schedule: schedule, headWidth: width)
            try expectClose(
                tables.cosines.flatMap { $0 }, basic.view("rope.\(index).cos"), tolerance: 2e-5,
                what: "cosines \(index)")
            try expectClose(
                tables.sines.flatMap { $0 }, basic.view("rope.\(index).sin"), tolerance: 2e-5, what: "sines \(index)")
        }
    }
}
