import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import TextEncoding

@testable import Conversion

/// Synthetic tensors under the official layouts: the loaders take them, and nothing overflows through any depth.
@Suite struct SyntheticTensorTests {
    private func tensors(_ layout: CheckpointLayout, type: ElementType = .bf16, seed: UInt64 = 5) -> InMemoryTensors {
        InMemoryTensors(
            layout.tensors.map { SyntheticTensor(declaration: $0, floatType: type, seed: seed).made() })
    }

    /// Pictures and the least and largest hidden state after the last block, at every scale.
    private func draw(_ model: any NextScaleModel, _ condition: ImageCondition) throws -> (
        picture: [Float], hidden: [Float]
    ) {
        let stack = model.stack
        let cache = try KVCache(
            geometry: stack.geometry(branches: 2, images: 1),
            capacities: .full(schedule: stack.schedule, layers: stack.depth, heads: stack.heads),
            selector: SlidingWindowRule())
        var hidden: [Float] = [], hooks = GenerationHooks()
        hooks.hiddenOut = { _, state in hidden += state }
        let output = try NextScaleGenerator(model: model, cache: cache).generate(
            conditions: [condition, model.unconditional(for: condition)], seeds: [1],
            settings: SamplingSettings(guidance: 3, temperature: 1, topK: 0, topP: 0), hooks: hooks)
        return (model.decode(output.codes[0]), hidden)
    }

    private func expectLively(_ model: any NextScaleModel, _ condition: ImageCondition) throws {
        let (picture, hidden) = try draw(model, condition)
        #expect(hidden.allSatisfy(\.isFinite) && (hidden.map(\.magnitude).max() ?? 0) < 1000)
        #expect(Set(hidden.prefix(64)).count > 32, "not all alike")
        #expect(picture.allSatisfy { (-1...1).contains($0) } && Set(picture.prefix(300)).count > 30)
    }

    @Test func infinityOfFullDepthIsReadAndStaysFinite() throws {
        let shape = InfinityShape(
            depth: 40, blockChunks: 8, width: 64, heads: 4, mlpWidth: 256, textWidth: 32, textPoolHeads: 4, bits: 56,
            schedule: try ScaleSchedule(
                grids: [1, 2, 3].map { ScaleSchedule.Grid(height: $0, width: $0) },
                ropeGrid: ScaleSchedule.Grid(height: 64, width: 64)), spatialPatchify: true,
            tokenizerBaseChannels: 32, tokenizerMultipliers: [1, 2, 2])
        let sizes = TransformerConfiguration(
            depth: 40, blockChunks: 8, width: 64, heads: 4, mlpWidth: 256, textWidth: 32, textPoolHeads: 4, bits: 56,
            ropeGrid: ScaleSchedule.Grid(height: 64, width: 64))
        let model = InfinityModel(
            transformer: try InfinityTransformer(
                shape: shape, tensors: tensors(.infinityTransformer(sizes, unconditionalRows: 9))),
            decoder: try ImageDecoder(
                kind: .binary, channels: 14, baseChannels: 32, multipliers: [1, 2, 2],
                tensors: tensors(
                    .imageTokenizer(.binary, channels: 14, baseChannels: 32, multipliers: [1, 2, 2]))))
        var random = SplitMix64(seed: 6)
        try expectLively(model, .text(TextRows(count: 5, width: 32, values: random.floats(160, in: -1...1))))
    }

    @Test(arguments: [false, true]) func varOfFullDepthIsReadAndStaysFinite(sharesModulation: Bool) throws {
        let grids = [1, 2, 3].map { ScaleSchedule.Grid(height: $0, width: $0) }
        let shape = VARShape(
            depth: 36, width: 64, heads: 4, mlpWidth: 256, classes: 10, codebookSize: 64, codeChannels: 32,
            schedule: try ScaleSchedule(grids: grids, ropeGrid: grids[2]), tokenizerBaseChannels: 32,
            tokenizerMultipliers: [1, 2])
        let sizes = VARConfiguration(
            depth: 36, width: 64, heads: 4, mlpWidth: 256, classes: 10, codebookSize: 64, codeChannels: 32,
            baseChannels: 32, channelMultipliers: [1, 2])
        let model = VARModel(
            transformer: try VARTransformer(
                shape: shape,
                tensors: tensors(
                    .varTransformer(sizes, schedule: shape.schedule, sharesModulation: sharesModulation))),
            tokenizer: try VARTokenizer(
                shape: shape,
                tensors: tensors(
                    .imageTokenizer(
                        .codebook(entries: 64, scales: 3), channels: 32, baseChannels: 32, multipliers: [1, 2]))))
        try expectLively(model, .imageClass(3))
    }

    @Test func textEncoderOfFullDepthIsReadAndStaysFinite() throws {
        let sizes = T5Configuration(width: 64, mlpWidth: 160, headWidth: 16, heads: 4, layers: 24, idCount: 90)
        let encoder = try T5Encoder(tensors(.t5Encoder(sizes), type: .f32), configuration: sizes)
        let features = try encoder.encode(ids: [5, 17, 80, 1])
        #expect(features.values.allSatisfy(\.isFinite) && Set(features.values).count > 200)
    }

    @Test func numbersFollowSeedNameAndPlaceAlone() {
        let one = TensorDeclaration("a.weight", [700, 500], .weights(inputs: 500))
        func made(_ declaration: TensorDeclaration, _ type: ElementType, seed: UInt64) throws -> [Float] {
            try SyntheticTensor(declaration: declaration, floatType: type, seed: seed).made().float32()
        }
        #expect(throws: Never.self) {
            let numbers = try made(one, .f32, seed: 1)
            let mean = numbers.reduce(0.0) { $0 + Double($1) } / 350_000
            let square = numbers.reduce(0.0) { $0 + Double($1) * Double($1) } / 350_000
            // Variance 1 / 500; means of 350,000 numbers lie within 5 standard errors.
            #expect(abs(mean) < 5 * (0.002 / 350_000).squareRoot() && abs(square * 500 - 1) < 0.01)
            #expect(try made(one, .f32, seed: 1) == numbers && made(one, .f32, seed: 2) != numbers)
            #expect(try made(TensorDeclaration("b.weight", [700, 500], one.fill), .f32, seed: 1) != numbers)
            let rounded = try made(one, .bf16, seed: 1)
            #expect(zip(rounded, numbers).allSatisfy { abs($0 - $1) <= abs($1) * 0x1p-8 })
            #expect(rounded.allSatisfy { $0.bitPattern & 0xffff == 0 })
        }
    }

    @Test func buffersHoldWhatTheNamesSay() throws {
        let scales = [0, 1, 1]
        let mask = SyntheticTensor(
            declaration: TensorDeclaration("mask", [1, 1, 3, 3], .mask(scales), isParameter: false), floatType: .f32,
            seed: 0
        ).made()
        let numbers = mask.withBytes { bytes in
            (0..<9).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        #expect(numbers == [0, -.infinity, -.infinity, 0, 0, 0, 0, 0, 0])
        let levels = SyntheticTensor(
            declaration: TensorDeclaration("lvl", [1, 3], .scaleIndices(scales), isParameter: false, isInteger: true),
            floatType: .bf16, seed: 0
        ).made()
        #expect(levels.elementType == .i64)
        #expect(try levels.int32() == [0, 1, 1])
    }
}
