import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing

/// Both families against the official code, with forced choices. Tolerances as the golden files state them.
@Suite struct FamilyGoldenTests {
    /// A case with the options it was made for.
    struct Name: Sendable, CustomTestStringConvertible {
        let name: String
        let options: String
        var testDescription: String { "\(name): \(options)" }
    }

    static let infinity = [
        Name(name: "inf-a", options: "Infinity, 1:1, d16, learned empty text"),
        Name(name: "inf-b", options: "Infinity, h/w 1.25, d14 with patches, negative prompt, guidance list"),
    ]
    static let all =
        infinity + [
            Name(name: "var-a", options: "VAR, AdaLN per block, l2 attention, ten scales, guidance 1.5"),
            Name(name: "var-b", options: "VAR, shared AdaLN, l2 attention, five scales, unused buffers, guidance 4"),
        ]

    /// Rows of the golden selection out of `[sequences, ...]`.
    private func rows(_ indices: [Int], of values: [Float], sequences: Int) -> [Float] {
        let each = values.count / sequences
        return indices.flatMap { values[($0 * each)..<(($0 + 1) * each)] }
    }

    @Test(arguments: infinity) func pooledTextAndContext(_ item: Name) throws {
        let golden = try GoldenCase(item.name)
        let model = try #require(golden.model as? InfinityModel)
        let text = golden.conditions.compactMap { if case .text(let rows) = $0 { rows } else { nil } }
        let conditioning = InfinityConditioning(model.transformer, text: text)
        try expectClose(
            conditioning.pooled, golden.run.view("out.cond"), tolerance: 2e-5, what: "\(item.name): pooled text")
        try expectClose(
            conditioning.context.flatMap { $0 }, golden.run.view("out.context"), tolerance: 2e-5,
            what: "\(item.name): context")
    }

    @Test(arguments: all) func guidedLogitsHiddenStatesCodesAndImage(_ item: Name) throws {
        let golden = try GoldenCase(item.name), name = item.name
        var hooks = GenerationHooks()
        var logits: [Int: [Float]] = [:], hiddenIn: [Int: [Float]] = [:], hiddenOut: [Int: [Float]] = [:]
        hooks.logits = { logits[$0] = Array($1) }
        hooks.hiddenIn = { hiddenIn[$0] = $1 }
        hooks.hiddenOut = { hiddenOut[$0] = $1 }
        let output = try golden.generate(try golden.makeCache(), hooks: hooks)
        #expect(output.choices == golden.choices)
        for scale in 0..<golden.stack.schedule.scaleCount {
            for (what, values, tensor) in [
                ("before block 0", hiddenIn, "out.hidden_in"), ("after the last block", hiddenOut, "out.hidden_out"),
            ] {
                try expectClose(
                    rows(golden.storedRows, of: values[scale] ?? [], sequences: golden.sequences),
                    golden.run.view("\(tensor).\(scale)"), tolerance: 5e-4,
                    what: "\(name), scale \(scale): hidden state \(what)")
            }
            try expectClose(
                logits[scale] ?? [], golden.run.view("out.logits.\(scale)"), tolerance: 5e-4,
                what: "\(name), scale \(scale): guided logits")
        }
        let view = try golden.run.view(golden.codeTensor)
        let d = view.shape[1], pixels = view.shape[2] * view.shape[3]
        var codes: [Float] = []
        for code in output.codes {
            for c in 0..<d { for p in 0..<pixels { codes.append(code[p * d + c]) } }
        }
        try expectClose(codes, view, tolerance: 2e-5, what: "\(name): accumulated codes")
        let image = golden.model.decode(output.codes[golden.imageRow])
        try expectClose(image, golden.run.view("out.image"), tolerance: 2e-4, what: "\(name): decoded image")
        let size = golden.model.pictureSize
        #expect(try golden.run.view("out.image").shape == [1, 3, size.height, size.width])
    }

    @Test(arguments: all) func cacheContentsAndAttentionProbabilities(_ item: Name) throws {
        let golden = try GoldenCase(item.name), name = item.name
        let cache = try golden.makeCache()
        let layer = try golden.config.member("attn_layer").integer()
        let scales = try golden.config.member("attn_scales").integers()
        let recorder = ProbabilityRecorder(layer: layer, scales: Set(scales))
        var hooks = GenerationHooks()
        hooks.attention = recorder
        _ = try golden.generate(cache, hooks: hooks)

        for scale in scales {
            let actual = golden.storedRows.flatMap { recorder.recorded[scale]?[$0] ?? [] }
            try expectClose(
                actual, golden.caches.view("out.attn.\(layer).\(scale)"), tolerance: 2e-4,
                what: "\(name): attention of block \(layer), scale \(scale)")
        }
        // The golden cache holds the last scale too; ours never stores it.
        let history = golden.stack.schedule.finalHistoryTokens, total = golden.stack.schedule.totalTokens
        let d = golden.stack.headWidth, heads = golden.stack.heads
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
