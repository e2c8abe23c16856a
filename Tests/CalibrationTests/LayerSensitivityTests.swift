import CalibrationStatistics
import Checkpoints
import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels
import TestSupport
import Testing
import VernierCore

@testable import Calibration

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What disturbing a layer is measured to do, against the same worked out by hand.
@Suite struct LayerSensitivityTests {
    private static let seed: UInt64 = 5
    private let tiny: TinyModel
    private let model: ImageModel
    private let generator: ImageGenerator
    private let corpus: Corpus
    private let request: ImageRequest
    private let layout: StatisticsLayout
    private let folder = TemporaryDirectory()
    /// A picture: bits `[scale][1][values]`, guided logits `[scale][1][values]`.
    private let choices: [[[Int32]]]
    private let logits: [[[Float]]]

    init() throws {
        tiny = try TinyModel()
        model = try ImageModel(path: tiny.path)
        generator = try ImageGenerator(model: model)
        try AtomicFile.write(TinyModel.corpus(3), to: folder.file("c.jsonl"))
        corpus = try Corpus(path: folder.file("c.jsonl"))
        request = try model.request(for: corpus.prompts[0], seed: Self.seed)
        layout = try StatisticsLayout(identity: model.identity, schedule: model.schedule, topCounts: [1])
        var logits: [[[Float]]] = []
        var hooks = GenerationHooks()
        hooks.logits = { logits.append([Array($1)]) }
        choices = try generator.generateChoices([request], settings: model.defaultSettings, hooks: hooks)
        self.logits = logits
    }

    private func responses(relativeSize: Float) throws -> LayerResponses {
        var probe = LayerProbe(generator: generator, settings: model.defaultSettings, layout: layout)
        probe.relativeSize = relativeSize
        return try #require(try probe.responses(to: [request], choices: choices, logits: logits) { _ in }.first)
    }

    private func calibrate(prompts: Int) throws -> CalibrationStatistics {
        let calibrator = try Calibrator(
            model: model,
            request: CalibrationRequest(
                corpus: corpus, seed: Self.seed, topCounts: [1], signCount: 0, sensitivityPrompts: prompts,
                batchSize: 2, toolVersion: "test"))
        try calibrator.run(savingTo: folder.file("\(prompts).h5"))
        return calibrator.statistics
    }

    @Test func aCalibrationProbesItsFirstPrompts() throws {
        let own = try responses(relativeSize: 0.01)
        for prompts in [0, 1, 2, 9] {
            let measured = try calibrate(prompts: prompts)
            #expect(measured.responses.count == min(prompts, 3))
            #expect(measured.hasLayerSensitivity == (prompts > 0))
            if let first = measured.responses.first { #expect(first == own) }
        }
    }

    /// Runs that start at the disturbed layer give the bits of runs from the first layer on, however many states are held.
    @Test func whatIsHeldToStartFromChangesNoBit() throws {
        let deep = try TinyModel(depth: 5), model = try ImageModel(path: deep.path)
        let generator = try ImageGenerator(model: model), pictures = 2
        let requests = try corpus.prompts.prefix(pictures).map { try model.request(for: $0, seed: UInt64($0.index)) }
        var logits: [[[Float]]] = [], hooks = GenerationHooks()
        hooks.logits = { _, values in
            let each = values.count / pictures
            logits.append((0..<pictures).map { Array(values[$0 * each..<($0 + 1) * each]) })
        }
        let choices = try generator.generateChoices(requests, settings: model.defaultSettings, hooks: hooks)
        var probe = LayerProbe(
            generator: generator, settings: model.defaultSettings,
            layout: try StatisticsLayout(identity: model.identity, schedule: model.schedule, topCounts: [1]))
        probe.mostHiddenBytes = 0
        let whole = try probe.responses(to: requests, choices: choices, logits: logits) { _ in }
        let layerBytes = 4 * TinyModel.sides.reduce(0) { $0 + $1 * $1 } * model.network.stack.width * 2 * pictures
        for layers in [1, 2, 3, 100] {
            probe.mostHiddenBytes = layers * layerBytes
            #expect(try probe.responses(to: requests, choices: choices, logits: logits) { _ in } == whole)
        }
        #expect(whole[0] != whole[1] && whole.allSatisfy { $0.divergence.max() ?? 0 > 0 })
    }

    /// The divergence from the logits, by its definition.
    @Test func divergencesAgreeWithTheLogits() throws {
        let own = try responses(relativeSize: 0.01)
        for layer in 0..<tiny.depth {
            var hooks = GenerationHooks(), disturbed: [[Float]] = []
            hooks.forcedChoices = choices
            hooks.logits = { disturbed.append(Array($1)) }
            hooks.disturbance = AttentionDisturbance(layer: layer, relativeSize: 0.01, seeds: [Self.seed]) { _, _, _ in
            }
            _ = try generator.generateChoices([request], settings: model.defaultSettings, hooks: hooks)
            for scale in 0..<layout.scaleCount {
                var nats = 0.0
                for low in stride(from: 0, to: disturbed[scale].count, by: 2) {
                    func probability(_ logits: [Float]) -> Double {
                        1 / (1 + exp(Double(logits[low]) - Double(logits[low + 1])))
                    }
                    let p = probability(logits[scale][0]), q = probability(disturbed[scale])
                    nats += p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))
                }
                let index = layer * layout.scaleCount + scale
                // Rounding of logarithms near 1, some hundred bits.
                #expect(abs(own.divergence[index] - nats) < 1e-12 + 1e-6 * nats, "layer \(layer), scale \(scale)")
                #expect((own.divergence[index] > 0) == (scale > 0), "scale 0 is not disturbed, all others are")
            }
        }
    }

    /// Layer 0's attention outputs do not feel the disturbances of earlier scales, so those of the undisturbed run are
    /// what was disturbed.
    @Test func squaredErrorsAgreeWithADirectComputation() throws {
        let recorder = OutputRecorder()
        var hooks = GenerationHooks()
        hooks.attention = recorder
        hooks.forcedChoices = choices
        _ = try generator.generateChoices([request], settings: model.defaultSettings, hooks: hooks)
        let own = try responses(relativeSize: 0.01)
        let d = TinyModel.headWidth, width = TinyModel.heads * d
        let weight = try SafetensorsFile(path: tiny.transformerPath).float32("block_chunks.0.module.0.sa.proj.weight")
        let random = CounterRandom(seed: Self.seed)
        #expect(own.squaredError[0] == 0)
        for scale in 1..<layout.scaleCount {
            var expected = 0.0
            for branch in 0..<2 {
                let gate = try #require(recorder.gates[[branch, 0]])
                let sizes = try (0..<TinyModel.heads).map { head in
                    let outputs = try #require(recorder.outputs[[branch, 0, head, scale]])
                    return 0.01 * (outputs.reduce(0) { $0 + $1 * $1 } / Double(outputs.count)).squareRoot()
                }
                for token in 0..<layout.schedule.tokenCount(scale) {
                    let words = random.words(UInt32(token), 0, UInt32(scale), 3 + UInt32(branch))
                    let delta = (0..<width).map { channel -> Double in
                        #expect(width <= 32, "one word holds all signs")
                        return words.0 >> UInt32(channel) & 1 == 0 ? sizes[channel / d] : -sizes[channel / d]
                    }
                    for row in 0..<width {
                        let moved = (0..<width).reduce(0.0) { $0 + Double(weight[row * width + $1]) * delta[$1] }
                        expected += Double(gate[row] * gate[row]) * moved * moved
                    }
                }
            }
            // A difference of two Float32 products, each a hundred times as large.
            #expect(abs(own.squaredError[scale] - expected) < 2e-4 * expected, "scale \(scale): \(expected)")
            #expect(expected > 0)
        }
    }

    @Test func theDivergenceGrowsAsTheSquareOfTheDisturbance() throws {
        let one = try responses(relativeSize: 0.01), quarter = try responses(relativeSize: 0.0025)
        for index in one.divergence.indices where index % layout.scaleCount > 0 {
            let place = "layer \(index / layout.scaleCount), scale \(index % layout.scaleCount)"
            let error = one.squaredError[index] / quarter.squaredError[index]
            #expect((15.9...16.1).contains(error), "\(place): error \(error)")
            // The third order of a disturbance of a hundredth, and rounding of the smaller one.
            let divergence = one.divergence[index] / quarter.divergence[index]
            #expect((14...18).contains(divergence), "\(place): divergence \(divergence)")
        }
    }
}

/// Keeps what every head's attention gives, from its probabilities, and the gates.
private final class OutputRecorder: AttentionObserver {
    let topCounts: [Int32] = []
    let wantsProbabilities = true
    private(set) var gates: [[Int]: [Float]] = [:]  // [branch, layer]
    private(set) var outputs: [[Int]: [Double]] = [:]  // [branch, layer, head, scale] -> [n_k, D]
    private var values: [[Int]: [Float]] = [:]  // [branch, layer, head], all tokens so far

    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {
        gates[[sequence, layer]] = Array(gate)
    }

    func observe(_ record: AttentionRecord) {
        guard let probabilities = record.probabilities else { return }
        let d = TinyModel.headWidth, width = record.historyCount + record.queryCount
        let head = [record.sequence, record.layer, record.head]
        values[head, default: []] += UnsafeBufferPointer(start: record.currentValues, count: record.queryCount * d)
        let own = values[head] ?? []
        outputs[head + [record.scale]] = (0..<record.queryCount * d).map { place in
            (0..<width).reduce(0.0) {
                $0 + Double(probabilities[place / d * width + $1]) * Double(own[$1 * d + place % d])
            }
        }
    }
}
