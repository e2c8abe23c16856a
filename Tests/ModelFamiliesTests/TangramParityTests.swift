import Checkpoints
import Generation
import KVCacheRuntime
import ModelFamilies
import TestSupport
import Testing

/// The shipped reference model against its PyTorch trainer (`Calibration/Tangram/fixtures.py`): the whole path from
/// prompt to picture on the exported, rounded weights.
@Suite struct TangramParityTests {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
        separator: "/")
    static let modelPath = root + "/Calibration/Models/tangram"

    let fixture: SafetensorsFile
    let model: ImageModel

    init() throws {
        fixture = try SafetensorsFile(path: Self.root + "/Tests/ModelFamiliesTests/Fixtures/tangram-parity.safetensors")
        model = try ImageModel(path: Self.modelPath)
    }

    private var prompts: [String] {
        get throws {
            try Corpus(path: Self.root + "/Calibration/Corpora/tangram-heldout.jsonl").prompts.prefix(2).map(\.caption)
        }
    }

    @Test func tokensAndTextFeatures() throws {
        for (index, prompt) in try prompts.enumerated() {
            expectSame(try model.tokenIDs(prompt), try fixture.int32("ids.\(index)"), what: "ids of '\(prompt)'")
            guard case .text(let rows) = try model.encode(prompt) else {
                Issue.record("no text")
                continue
            }
            try expectClose(
                rows.values, fixture.view("text.\(index)"), tolerance: 2e-4,
                what: "features of '\(prompt)'")
        }
    }

    @Test func guidedLogitsAndPictureOnForcedBits() throws {
        let text = try model.encode(try prompts[0]), stack = model.network.stack
        let cache = try KVCache(
            geometry: stack.geometry(branches: 2, images: 1), capacities: stack.fullCapacities,
            selector: SlidingWindowRule())
        var hooks = GenerationHooks(), logits: [Int: [Float]] = [:]
        hooks.logits = { logits[$0] = Array($1) }
        hooks.forcedChoices = try (0..<stack.schedule.scaleCount).map {
            [try fixture.uint8("bits.\($0)").map { Int32($0) }]
        }
        let output = try NextScaleGenerator(model: model.network, cache: cache).generate(
            conditions: [text, try model.network.unconditional(for: text)], seeds: [0],
            settings: SamplingSettings(guidance: 2, temperature: 1, topK: 0, topP: 0), hooks: hooks)
        for scale in 0..<stack.schedule.scaleCount {
            // The golden tolerance of guided logits (Tests/Golden): both sides are float32 in another order.
            try expectClose(
                logits[scale] ?? [], fixture.view("logits.\(scale)"), tolerance: 5e-4,
                what: "guided logits of scale \(scale)")
        }
        let picture = model.network.decode(output.codes[0])
        try expectClose(picture, fixture.view("image"), tolerance: 2e-4, what: "decoded picture")
    }
}
