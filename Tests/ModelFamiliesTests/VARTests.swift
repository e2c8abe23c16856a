import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What is VAR's alone.
@Suite struct VARTests {
    @Test(arguments: ["var-a", "var-b"]) func residualConvolutionOfEveryScale(_ name: String) throws {
        let expected = try Golden.open("\(name).run").int32("phi_index")
        #expect(
            expected.indices.map { Int32(ResidualConvolutions.index(scale: $0, of: expected.count)) } == expected)
    }

    /// The table of `models.md` for the unreleased schedule of 1024 pixels, and one scale.
    @Test func residualConvolutionsOfOtherSchedules() {
        #expect(
            (0..<14).map { ResidualConvolutions.index(scale: $0, of: 14) } == [
                0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3,
            ])
        #expect(ResidualConvolutions.index(scale: 0, of: 1) == 0)
    }

    /// Guidance grows from none at the first scale to all of it at the last.
    @Test func guidanceRamp() throws {
        let golden = try GoldenCase("var-b")
        let settings = SamplingSettings(guidance: 4, temperature: 1, topK: 0, topP: 0)
        for (scale, t) in [Float(0), 1, 2, 3, 4].enumerated() {
            let factors = golden.model.guidance(scale: scale, settings: settings)
            #expect(factors.conditional == 1 + t && factors.unconditional == -t)
        }
        let none = SamplingSettings(guidance: 0, temperature: 1, topK: 0, topP: 0)
        #expect(golden.model.guidance(scale: 4, settings: none) == GuidanceFactors(conditional: 1, unconditional: 0))
    }

    /// A mixture with nearly all weight on one entry is that entry; without such weight it is another picture.
    @Test func mixedCodesReplaceDrawnOnes() throws {
        let golden = try GoldenCase("var-b")
        var settings = golden.settings
        settings.mixesCodes = true
        func run(_ settings: SamplingSettings) throws -> NextScaleGenerator.Output {
            try NextScaleGenerator(model: golden.model, cache: golden.makeCache()).generate(
                conditions: golden.conditions, seeds: golden.seeds, settings: settings)
        }
        let drawn = try run(golden.settings), mixed = try run(settings)
        #expect(drawn.choices[0] == mixed.choices[0], "the first map is drawn from the same logits and noise")
        #expect(drawn.codes != mixed.codes)
        // Only one entry left: mixture and draw agree, to the rounding of a weight that is exactly 1.
        settings.topK = 1
        let mixedBest = try run(settings)
        settings.mixesCodes = false
        #expect(try run(settings).codes == mixedBest.codes)

        let infinity = try GoldenCase("inf-a")
        settings = infinity.settings
        settings.mixesCodes = true
        let error = #expect(throws: VernierError.self) {
            _ = try NextScaleGenerator(model: infinity.model, cache: infinity.makeCache()).generate(
                conditions: infinity.conditions, seeds: infinity.seeds, settings: settings)
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test func conditionsOfTheOtherKindAndUnknownClassesAreRefused() throws {
        let classes = try GoldenCase("var-b").model, text = try GoldenCase("inf-a").model
        let rows = ImageCondition.text(TextRows(count: 1, width: 2, values: [0, 0]))
        for (model, condition, found) in [
            (classes, ImageCondition.imageClass(12), "class 12"), (classes, .imageClass(-1), "class -1"),
            (classes, rows, "a text"), (text, .imageClass(3), "class 3"), (text, rows, "a text of 1 tokens"),
        ] {
            let error = #expect(throws: VernierError.self) { _ = try model.unconditional(for: condition) }
            #expect(error?.code == .invalidArgument && error?.description.contains(found) == true, "\(found)")
            #expect(throws: VernierError.self) { _ = try model.conditioning(for: [condition]) }
        }
    }

    /// Every missing or misshapen tensor in one error, whichever options the keys show.
    @Test func missingAndMisshapenTensorsAreReportedTogether() throws {
        let shape = try GoldenCase.varShape(try Golden.open("var-a.run").config)
        let all = try Self.views("var-a.weights", "transformer.")
        var views = all.filter { $0.name != "blocks.2.attn.scale_mul_1H11" && $0.name != "blocks.1.ada_lin.1.bias" }
        views.append(TensorView(name: "head.bias", shape: [95], float32: Array(repeating: 0, count: 95)))
        let error = #expect(throws: VernierError.self) {
            _ = try VARTransformer(shape: shape, tensors: InMemoryTensors(views))
        }
        #expect(error?.code == .mismatch && error?.problems.count == 3, "\(error?.description ?? "")")
        for text in ["blocks.2.attn.scale_mul_1H11", "blocks.1.ada_lin.1.bias", "expected shape [96], found [95]"] {
            #expect(error?.description.contains(text) == true, "\(text)")
        }
        // Another schedule: the positions do not fit it.
        let other = try GoldenCase.varShape(try Golden.open("var-b.run").config)
        let wrong = VARShape(
            depth: shape.depth, width: shape.width, heads: shape.heads, mlpWidth: shape.mlpWidth,
            classes: shape.classes, codebookSize: shape.codebookSize, codeChannels: shape.codeChannels,
            schedule: other.schedule, tokenizerBaseChannels: 32, tokenizerMultipliers: [1])
        let misfit = #expect(throws: VernierError.self) {
            _ = try VARTransformer(shape: wrong, tensors: InMemoryTensors(all))
        }
        #expect(misfit?.description.contains("tensor 'pos_1LC': expected shape [1, 103, 48]") == true)
        // NaN.
        var values = [Float](repeating: 0, count: 96)
        values[7] = .nan
        views = all + [TensorView(name: "head.bias", shape: [96], float32: values)]
        let nan = #expect(throws: VernierError.self) {
            _ = try VARTransformer(shape: shape, tensors: InMemoryTensors(views))
        }
        #expect(nan?.code == .nonFinite)
        // A tokeniser without its codebook, one convolution and one attention.
        let vae = try Self.views("var-vae-a", "vae.").filter {
            ![
                "quantize.embedding.weight", "quantize.quant_resi.qresi_ls.2.bias", "decoder.mid.attn_1.qkv.weight",
            ].contains($0.name)
        }
        let tokenizer = #expect(throws: VernierError.self) {
            _ = try VARTokenizer(shape: shape, tensors: InMemoryTensors(vae))
        }
        #expect(tokenizer?.code == .mismatch && tokenizer?.problems.count == 3, "\(tokenizer?.description ?? "")")
    }

    private static func views(_ file: String, _ prefix: String) throws -> [TensorView] {
        let source = try Golden.open(file).tensors(under: prefix)
        return try source.tensorNames.filter { !["lvl_1L", "attn_bias_for_masking"].contains($0) }.map { name in
            let view = try source.view(name)
            return TensorView(name: name, shape: view.shape, float32: try view.float32())
        }
    }

    /// Without `scale_mul` queries and keys stay as projected and the softmax scale is `0.25 / sqrt(D)`: the attention of
    /// block 0 at scale 1, worked out in Float64 from the hidden state before it.
    @Test func attentionWithoutNormalisation() throws {
        let shape = try GoldenCase.varShape(try Golden.open("var-b.run").config)
        let views = try Self.views("var-b.weights", "transformer.").filter { !$0.name.contains("scale_mul") }
        let source = InMemoryTensors(views)
        let model = VARModel(
            transformer: try VARTransformer(shape: shape, tensors: source),
            tokenizer: try VARTokenizer(shape: shape, tensors: try Golden.open("var-vae-a").tensors(under: "vae.")))
        let cache = try KVCache(
            geometry: model.stack.geometry(branches: 2, images: 1), capacities: model.stack.fullCapacities,
            selector: SlidingWindowRule())
        let recorder = ProbabilityRecorder(layer: 0, scales: [1])
        var hooks = GenerationHooks(), hidden: [[Double]] = []
        hooks.attention = recorder
        hooks.hiddenIn = { if $0 < 2 { hidden.append($1.map { Double($0) }) } }
        _ = try NextScaleGenerator(model: model, cache: cache).generate(
            conditions: [.imageClass(3), .noClass], seeds: [1],
            settings: SamplingSettings(guidance: 1, temperature: 1, topK: 0, topP: 0), hooks: hooks)

        let c = shape.width, d = shape.headWidth
        func tensor(_ name: String) throws -> [Double] { try source.float32(name).map { Double($0) } }
        func product(_ weight: [Double], _ x: [Double], rows: Range<Int>) -> [Double] {
            rows.map { row in (0..<c).reduce(0) { $0 + weight[row * c + $1] * x[$1] } }
        }
        let embedding = try tensor("class_emb.weight"), offset = try tensor("blocks.0.ada_gss")
        let ada = try tensor("shared_ada_lin.1.weight"), adaBias = try tensor("shared_ada_lin.1.bias")
        let weight = try tensor("blocks.0.attn.mat_qkv.weight"), queryBias = try tensor("blocks.0.attn.q_bias")
        for (sequence, row) in [3, shape.classes].enumerated() {
            let condition = embedding[(row * c)..<((row + 1) * c)].map { $0 / (1 + exp(-$0)) }
            let vectors = zip(product(ada, condition, rows: 0..<(6 * c)), zip(adaBias, offset)).map {
                $0 + $1.0 + $1.1
            }
            // Modulated tokens of scales 0 and 1 of this sequence.
            let tokens = (0..<5).map { token -> [Double] in
                let start = token == 0 ? sequence * c : (sequence * 4 + token - 1) * c
                let x = hidden[token == 0 ? 0 : 1][start..<(start + c)]
                let mean = x.reduce(0, +) / Double(c)
                let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(c)
                return x.enumerated().map { i, value in
                    (value - mean) / (variance + 1e-6).squareRoot() * (1 + vectors[2 * c + i]) + vectors[4 * c + i]
                }
            }
            var expected: [Float] = []
            for head in 0..<shape.heads {
                let range = (head * d)..<((head + 1) * d)
                let keys = tokens.map { product(weight, $0, rows: (c + range.lowerBound)..<(c + range.upperBound)) }
                for token in 1..<5 {
                    let query = zip(product(weight, tokens[token], rows: range), queryBias[range]).map(+)
                    let logits = keys.map { key in
                        zip(query, key).reduce(0) { $0 + $1.0 * $1.1 } * 0.25 / Double(d).squareRoot()
                    }
                    let exponentials = logits.map { exp($0) }
                    expected += exponentials.map { Float($0 / exponentials.reduce(0, +)) }
                }
            }
            let actual = recorder.recorded[1]?[sequence] ?? []
            expectClose(actual, expected, tolerance: 1e-5, what: "VAR without l2 attention, sequence \(sequence)")
            #expect(Set(actual).count > 8, "the rows are not flat")
        }
    }
}
