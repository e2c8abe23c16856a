import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// Every rule of a profile, through the generator that users call.
@Suite struct PeerRuleGenerationTests {
    private let model: ImageModel
    private let requests: [ImageRequest]

    init() throws {
        let tiny = try TinyModel()
        let model = try withExtendedLifetime(tiny) { try ImageModel(path: tiny.path) }
        let prompts: [(String, UInt64)] = [("a red square", 1), ("a blue circle above the green square", 2)]
        requests = try prompts.map { ImageRequest(condition: try model.encode($0.0), seed: $0.1) }
        self.model = model
    }

    private func profile(_ rule: SelectionRule, atMost most: Int) throws -> Profile {
        let schedule = model.schedule, identity = model.identity
        var capacities = CellCapacities.full(schedule: schedule, layers: identity.layers, heads: identity.heads)
        for scale in 0..<schedule.scaleCount {
            for layer in 0..<identity.layers {
                for head in 0..<identity.heads {
                    capacities[0, scale, layer, head] = min(capacities[0, scale, layer, head], most)
                }
            }
        }
        let digest = String(repeating: "0", count: 64)
        return try Profile(
            model: identity, schedule: schedule, policy: PolicyDescription(name: "by hand"), selection: rule,
            storage: .float32, requestedBudget: .tokensPerCell(Double(most)), capacities: capacities,
            provenance: Provenance(
                toolVersion: "test", statisticsDigest: digest, corpusDigest: digest, promptCount: 0, seed: 0))
    }

    private static let rules = SelectionRule.knownNames.filter {
        (try? SelectionRule(name: $0).isPlanned) == false
    }

    /// A picture does not depend on its batch, the same request gives the same picture, and a full budget the full
    /// cache's.
    @Test(arguments: rules) func everyRuleGenerates(_ name: String) throws {
        let rule = try SelectionRule(name: name), settings = model.defaultSettings
        let reference = try ImageGenerator(model: model).generate(requests, settings: settings, batchSize: 2)
        let whole = try ImageGenerator(model: model, profile: try profile(rule, atMost: 14))
        #expect(
            try whole.generate(requests, settings: settings, batchSize: 2).map(\.choices) == reference.map(\.choices))
        for most in [1, 3, 6] {
            let generator = try ImageGenerator(model: model, profile: try profile(rule, atMost: most))
            let together = try generator.generate(requests, settings: settings, batchSize: 2)
            let alone = try generator.generate(requests, settings: settings, batchSize: 1)
            #expect(together.map(\.choices) == alone.map(\.choices), "\(most) tokens")
            let again = try generator.generate(requests, settings: settings, batchSize: 2)
            #expect(together.map(\.choices) == again.map(\.choices), "\(most) tokens")
            let ledger = try #require(generator.report).ledger
            #expect(ledger.peakResidentBytes == ledger.predictedResidentBytes)
        }
    }

    /// The oracle's first run is fed the same forced bits as the second, and nobody else sees it.
    @Test func theOracleWatchesAFullRunOfTheSameRequest() throws {
        let settings = model.defaultSettings
        let other = try ImageGenerator(model: model).generate(
            requests.map { ImageRequest(condition: $0.condition, seed: 77) }, settings: settings, batchSize: 2)
        var hooks = GenerationHooks()
        hooks.forcedChoices = model.schedule.grids.indices.map { scale in other.map { $0.choices[scale] } }
        let generator = try ImageGenerator(model: model, profile: try profile(.oracle, atMost: 3))
        var seen: [[Float]] = []
        hooks.logits = { seen.append(Array($1)) }
        _ = try generator.generateChoices(requests, settings: settings, hooks: hooks)
        #expect(seen.count == model.schedule.scaleCount, "hooks see the second run only")

        // By hand: a full run that is taped, then the rule with that tape.
        let tape = AttentionTape(), stack = model.network.stack
        let geometry = stack.geometry(branches: 2, images: 2)
        let conditions =
            try requests.map(\.condition)
            + requests.map { try model.network.unconditional(for: $0.condition) }
        var watching = GenerationHooks()
        watching.forcedChoices = hooks.forcedChoices
        watching.attention = tape
        let full = try KVCache(
            geometry: geometry, capacities: stack.fullCapacities, selector: SlidingWindowRule())
        _ = try NextScaleGenerator(model: model.network, cache: full).generate(
            conditions: conditions, seeds: [1, 2], settings: settings, hooks: watching)
        let cache = try KVCache(
            geometry: geometry, capacities: try profile(.oracle, atMost: 3).capacities,
            selector: OracleRule(tape: tape))
        var expected: [[Float]] = []
        hooks.logits = { expected.append(Array($1)) }
        _ = try NextScaleGenerator(model: model.network, cache: cache).generate(
            conditions: conditions, seeds: [1, 2], settings: settings, hooks: hooks)
        #expect(seen == expected)
        // The last boundary keeps, of what was there, the best by that tape: position 0 ... 13, at most 3 of them.
        for sequence in 0..<4 {
            let mass = tape.mass(sequence: sequence, layer: 0, head: 1, scale: 3)
            #expect(mass.count == 14)
            #expect(cache.positions(sequence: sequence, layer: 0, head: 1).count == 3)
        }
    }
}
