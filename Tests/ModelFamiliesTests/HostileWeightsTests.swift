import Checkpoints
import Generation
import ModelFamilies
import TestSupport
import TextEncoding
import Testing
import VernierCore

/// Models whose files are sound one by one: parts of different models, and numbers that are none.
@Suite struct HostileWeightsTests {
    /// What loading the model throws.
    private func failure(loading path: String) -> VernierError? {
        #expect(throws: VernierError.self) { _ = try ImageModel(path: path) }
    }

    private func copy(_ source: String, to target: String) throws {
        try MappedFile(path: source).withBytes { try AtomicFile.write($0, to: target) }
    }

    // MARK: Parts of different models

    @Test("Infinity's transformer with VAR's image tokeniser, and VAR's with Infinity's, are refused with all faults")
    func tokenizerOfTheOtherFamily() throws {
        let infinity = try TinyModel(), classes = try TinyVARModel()
        let places = [infinity.path, classes.path].map { "\($0)/tokenizer.safetensors" }
        let own = try SafetensorsFile(path: places[0]).tensors  // keeps the old content mapped
        try copy(places[1], to: places[0])
        let first = failure(loading: infinity.path)
        #expect(first?.code == .mismatch && first?.place == "tokenizer.safetensors")
        for text in [
            "'decoder.conv_in.weight': expected shape [32, 4, 3, 3], found [32, 32, 3, 3]",
            "'post_quant_conv.bias': expected no such part in a binary tokeniser",
            "'decoder.up.1.block.0.conv1.bias': expected no level above 0",
        ] { #expect(first?.description.contains(text) == true, "\(text) in \(first as Any)") }

        var writer = SafetensorsWriter()
        for view in own.values.sorted(by: { $0.name < $1.name }) { try writer.add(view) }
        try writer.write(to: places[1])
        let second = failure(loading: classes.path)
        #expect(second?.code == .mismatch && second?.place == "tokenizer.safetensors")
        #expect(second?.description.contains("no tensor 'quantize.embedding.weight' of shape [96, 32]") == true)
    }

    @Test("A transformer with the image tokeniser of another Infinity model is refused")
    func tokenizerOfAnotherModel() throws {
        let tiny = try TinyModel()
        try copy(TangramParityTests.modelPath + "/tokenizer.safetensors", to: tiny.path + "/tokenizer.safetensors")
        let error = failure(loading: tiny.path)
        #expect(error?.code == .mismatch && error?.place == "tokenizer.safetensors")
        #expect(error?.description.contains("'decoder.conv_in.conv.weight': expected shape [32, 4, 3, 3]") == true)
    }

    @Test("A transformer with the text encoder of another model is refused")
    func textEncoderOfAnotherModel() throws {
        let tiny = try TinyModel()
        try copy(
            TangramParityTests.modelPath + "/text_encoder/model.safetensors",
            to: tiny.path + "/text_encoder/model.safetensors")
        let error = failure(loading: tiny.path)
        #expect(error?.code == .mismatch && error?.place == "model.safetensors")
    }

    @Test("Weights with every tensor that is needed, and more levels or blocks than the model has, are refused")
    func largerModels() throws {
        let tiny = try TinyModel(), deep = try TinyModel(depth: 3)
        let one = Array(repeating: Float(0), count: 32)
        let tokenizer = try parts(of: SafetensorsFile(path: tiny.path + "/tokenizer.safetensors"))
        for (name, reason) in [
            ("decoder.up.1.block.2.conv2.conv.bias", "no level above 0"),
            ("decoder.mid.attn_1.norm.bias", "no such part in a binary tokeniser"),
            ("decoder.up.0.attn.2.norm.weight", "no such part in a binary tokeniser"),
        ] {
            let error = #expect(throws: VernierError.self) {
                try Self.decoder(tokenizer + [TensorView(name: name, shape: [32], float32: one)])
            }
            #expect(error?.code == .mismatch && error?.problems == ["tensor '\(name)': expected \(reason)"])
        }
        // Three blocks where config.json says two.
        try copy(deep.transformerPath, to: tiny.transformerPath)
        let error = failure(loading: tiny.path)
        #expect(error?.code == .mismatch && error?.place == "transformer.safetensors")
        #expect(
            error?.problems.first?.hasSuffix("expected no more than 2 blocks, in 1 chunks") == true, "\(error as Any)")
    }

    @Test("VAR's transformer with a further block, or with factors for queries in some blocks only, is refused")
    func unevenBlocks() throws {
        let shape = try GoldenCase.varShape(try Golden.open("var-b.run").config)
        let source = try Golden.open("var-b.weights").tensors(under: "transformer.")
        let all = try parts(of: source, without: ["lvl_1L", "attn_bias_for_masking"])
        func problems(_ views: [TensorView]) -> [String]? {
            #expect(throws: VernierError.self) {
                _ = try VARTransformer(shape: shape, tensors: InMemoryTensors(views))
            }?.problems
        }
        #expect(
            problems(all + [TensorView(name: "blocks.2.attn.q_bias", shape: [1], float32: [0])])
                == ["tensor 'blocks.2.attn.q_bias': expected no more than 2 blocks"])
        #expect(
            problems(all.filter { $0.name != "blocks.0.attn.scale_mul_1H11" })
                == ["tensor 'blocks.1.attn.scale_mul_1H11': expected none, as block 0 has none"])
    }

    // MARK: NaN

    @Test("A NaN or an infinity at the end of any tensor of transformer or tokeniser is an error that names it")
    func nonFiniteWeights() throws {
        let model = try TinyModel()
        let configuration = try ModelDirectory(path: model.path).configuration
        let transformer = try parts(of: SafetensorsFile(path: model.transformerPath))
        let tokenizer = try parts(of: SafetensorsFile(path: model.path + "/tokenizer.safetensors"))
        guard case .infinity(let numbers) = configuration.architecture else {
            Issue.record("the tiny model is an Infinity model")
            return
        }
        #expect(transformer.count > 50 && tokenizer.count > 40)
        for index in 0..<(transformer.count + tokenizer.count) {
            let isFirst = index < transformer.count
            let value: Float = index.isMultiple(of: 2) ? .nan : -.infinity
            var views = isFirst ? transformer : tokenizer
            let place = isFirst ? index : index - transformer.count
            var values = try views[place].float32()
            values[values.count - 1] = value
            views[place] = TensorView(name: views[place].name, shape: views[place].shape, float32: values)
            let damaged = InMemoryTensors(views, named: "damaged")
            let error = #expect(throws: VernierError.self, "\(views[place].name)") {
                _ = try InfinityModel(
                    numbers, schedule: configuration.schedule,
                    transformer: isFirst ? damaged : InMemoryTensors(transformer),
                    tokenizer: isFirst ? InMemoryTensors(tokenizer) : damaged)
            }
            #expect(error?.code == .nonFinite)
            #expect(
                error?.description.contains("'\(views[place].name)': expected finite numbers, found \(value) at index")
                    == true, "\(error as Any)")
        }
    }

    @Test("A NaN in the text encoder is an error: at loading, or of the embedding table at the first text with its row")
    func nonFiniteTextEncoder() throws {
        let model = try TinyModel(), folder = model.path + "/text_encoder"
        let configuration = try T5Configuration(path: folder + "/config.json")
        let all = try parts(of: SafetensorsFile(path: folder + "/model.safetensors"))
        #expect(all.count > 8)
        for place in all.indices {
            var values = try all[place].float32()
            values[7] = .nan
            var views = all
            views[place] = TensorView(name: all[place].name, shape: all[place].shape, float32: values)
            let damaged = InMemoryTensors(views)
            if all[place].name == "shared.weight" {
                let encoder = try T5Encoder(damaged, configuration: configuration)
                #expect(try encoder.encode(ids: [1, 2]).rows == 2, "row 0 is not read")
                let error = #expect(throws: VernierError.self) { try encoder.encode(ids: [2, 0]) }
                #expect(error?.code == .nonFinite)
            } else {
                let error = #expect(throws: VernierError.self, "\(all[place].name)") {
                    _ = try T5Encoder(damaged, configuration: configuration)
                }
                #expect(error?.code == .nonFinite)
            }
        }
    }

    /// The tensors in single precision, in memory.
    private func parts(of source: some TensorSource, without left: Set<String> = []) throws -> [TensorView] {
        try source.tensorNames.filter { !left.contains($0) }.map { name in
            let view = try source.view(name)
            return TensorView(name: name, shape: view.shape, float32: try view.float32())
        }
    }

    /// Reads the tiny model's decoder.
    private static func decoder(_ views: [TensorView]) throws {
        _ = try ImageDecoder(
            kind: .binary, channels: 4, baseChannels: 32, multipliers: [1], tensors: InMemoryTensors(views))
    }
}
