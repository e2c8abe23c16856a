import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// The policies of other methods, on statistics whose answer is known.
@Suite struct PeerPolicyTests {
    private static let sides = [1, 2, 3, 4]  // histories 0 1 5 14

    private func profile(
        _ policy: String, _ statistics: CalibrationStatistics, _ budget: BudgetRequest, _ parameters: Parameters = [:]
    ) throws -> Profile {
        try compile(
            statistics: statistics,
            request: CompilationRequest(
                policy: PolicyDescription(name: policy, parameters: parameters), budget: budget, toolVersion: "test"))
    }

    private func tokens(_ profile: Profile, scale: Int) -> [Int] {
        (0..<profile.model.layers).flatMap { layer in
            (0..<profile.model.heads).map { profile.capacities[0, scale, layer, $0] }
        }
    }

    @Test func headsWithBetterPositionsHoldMore() throws {
        let schedule = try SyntheticStatistics.schedule(Self.sides)
        // Head 0: three heavy positions, the rest nothing. Head 1: all alike, lighter than those three.
        let statistics = try SyntheticStatistics.positions(layers: 2, heads: 2, schedule: schedule) {
            _, _, head, scale in
            (0..<schedule.historyTokens(scale)).map { head == 0 ? ($0 < 3 ? 0.2 : 0) : 0.05 }
        }
        // 8 slots a layer: 3 for head 0's heavy positions, the rest for head 1.
        #expect(tokens(try profile("head-adaptive", statistics, .tokensPerCell(4)), scale: 3) == [3, 5, 3, 5])
        // A floor of 1 is an even split, a floor of 0 leaves nothing to a head without good positions.
        #expect(
            tokens(try profile("head-adaptive", statistics, .tokensPerCell(4), ["floor": 1]), scale: 3)
                == [4, 4, 4, 4])
        #expect(
            HeadAdaptivePolicy.share(4, floor: 0, bounds: [9, 9], scores: [[0.3, 0.2, 0.1, 0.1], [0.05, 0.05]])
                == [4, 0])
        #expect(
            HeadAdaptivePolicy.share(4, floor: 1, bounds: [9, 9], scores: [[0.3, 0.2, 0.1, 0.1], [0.05, 0.05]])
                == [3, 1])
        // Ties to the lower head; a bound stops a head.
        #expect(HeadAdaptivePolicy.share(3, floor: 0, bounds: [9, 9], scores: [[1, 1, 1], [1, 1, 1]]) == [3, 0])
        #expect(HeadAdaptivePolicy.share(3, floor: 2, bounds: [1, 9], scores: [[9], [1, 1, 1]]) == [1, 2])
        // What does not divide among layers goes to the first.
        #expect(
            tokens(try profile("head-adaptive", statistics, .tokensPerCell(4.25)), scale: 3).reduce(0, +) == 17)
        #expect(tokens(try profile("head-adaptive", statistics, .tokensPerCell(4.25)), scale: 3) == [3, 6, 3, 5])
    }

    @Test func cakeSharesByEntropyAndVariance() throws {
        let schedule = try SyntheticStatistics.schedule(Self.sides)
        let statistics = try SyntheticStatistics.positions(
            layers: 2, heads: 2, schedule: schedule, entropy: { layer, _ in layer == 0 ? 1 : 4 },
            variance: { layer, _, _ in layer == 0 ? 1 : 0.0625 }
        ) { _, _, _, scale in (0..<schedule.historyTokens(scale)).map { _ in 0.01 } }
        // 1 * 1 against 4 / 16: 4 to 1.
        #expect(tokens(try profile("cake", statistics, .tokensPerCell(5)), scale: 3) == [8, 8, 2, 2])
        // tau2 = 2: 1 against 4 / 4; tau1 = 2 besides: 1 against 2 / 4.
        #expect(tokens(try profile("cake", statistics, .tokensPerCell(5), ["tau2": 2]), scale: 3) == [5, 5, 5, 5])
        #expect(
            tokens(try profile("cake", statistics, .tokensPerCell(6), ["tau1": 2, "tau2": 2]), scale: 3)
                == [8, 8, 4, 4])
        #expect(try profile("cake", statistics, .tokensPerCell(5)).policy.parameters["variance"] == "columns")
        // With sketches the variance is that over queries: E[a^2] - E[a]^2 is 0.2^2 - 0.1^2 a position against 0.01.
        let sketched = try SyntheticStatistics.positions(
            layers: 2, heads: 2, schedule: schedule,
            sketches: { layer, _, scale in
                (0..<schedule.historyTokens(scale)).map { _ in layer == 0 ? 0.2 : 0.1 * Float(2).squareRoot() }
            }, mass: { _, _, _, scale in (0..<schedule.historyTokens(scale)).map { _ in scale < 3 ? 0.1 : 0.01 } })
        let variance = try #require(sketched.queryVariance(branch: 1, layer: 0, head: 1, scale: 2))
        #expect(abs(variance - 5 * 0.03) < 1e-6)
        let shared = try profile("cake", sketched, .tokensPerCell(3))
        #expect(shared.policy.parameters["variance"] == "queries")
        // At scale 2, 0.03 to 0.01: T = 12 slots, 6 a head, 4.5 and 1.5, of which the first gets 5 and what is left
        // over.
        #expect(tokens(shared, scale: 2) == [5, 5, 1, 1])
        #expect(throws: VernierError.self) {
            try profile("cake", statistics, .tokensPerCell(3), ["variance": "queries"])
        }
        // No preference at all: even.
        let none = try SyntheticStatistics.positions(
            layers: 2, heads: 2, schedule: schedule, entropy: { _, _ in 0 }
        ) { _, _, _, scale in (0..<schedule.historyTokens(scale)).map { _ in 0.01 } }
        #expect(tokens(try profile("cake", none, .tokensPerCell(5)), scale: 3) == [5, 5, 5, 5])
    }

    @Test func hackPartsHeadsByTheVarianceOverQueries() throws {
        let schedule = try SyntheticStatistics.schedule(Self.sides)
        // Mean squares: head 1 of layer 0 and head 0 of layer 1 change from query to query.
        let statistics = try SyntheticStatistics.positions(
            layers: 2, heads: 2, schedule: schedule,
            sketches: { layer, head, scale in
                (0..<schedule.historyTokens(scale)).map { _ in layer + head == 1 ? 0.3 : 0.06 }
            }, mass: { _, _, _, scale in (0..<schedule.historyTokens(scale)).map { _ in 0.05 } })
        func compiled(_ rule: SelectionRule, _ parameters: Parameters = [:]) throws -> Profile {
            try compile(
                statistics: statistics,
                request: CompilationRequest(
                    policy: PolicyDescription(name: "hack", parameters: parameters), budget: .tokensPerCell(6),
                    selection: rule, toolVersion: "test"))
        }
        let profile = try compiled(try SelectionRule(name: "hack"))
        // B = 6: contextual heads hold 2, structural ones 10.
        #expect(tokens(profile, scale: 3) == [2, 10, 10, 2])
        #expect(profile.selection.parameters.text("structuralHeads") == "4.8")
        #expect(try Profile(parsing: profile.canonicalText(), name: "x") == profile)
        // Another rule is left alone; other shares: ties to the lower layer and head.
        let mass = try compiled(.attentionMass(), ["contextualShare": 0.25, "contextualBudget": 0.5])
        #expect(mass.selection == .attentionMass())
        #expect(tokens(mass, scale: 3) == [3, 7, 7, 7])
        #expect(tokens(try compiled(.slidingWindow, ["contextualShare": 1]), scale: 3) == [6, 6, 6, 6])
        // The rule needs the policy, the policy needs sketches.
        #expect(throws: VernierError.self) {
            try compile(
                statistics: statistics,
                request: CompilationRequest(
                    policy: PolicyDescription(name: "uniform"), budget: .tokensPerCell(6),
                    selection: try SelectionRule(name: "hack"), toolVersion: "test"))
        }
        let error = try #require(throws: VernierError.self) {
            try self.profile("hack", try blockStatistics(), .tokensPerCell(6))
        }
        #expect(error.problems == ["expected statistics with sketches, found none"])
    }

    /// Head 0 of layer 0 looks only at scale 0, everyone else at scale 2 and a little at scale 1.
    private func blockStatistics() throws -> CalibrationStatistics {
        let schedule = try SyntheticStatistics.schedule(Self.sides)
        return try SyntheticStatistics.positions(layers: 2, heads: 2, schedule: schedule) {
            branch, layer, head, scale in
            (0..<schedule.historyTokens(scale)).map { position in
                // The unconditional branch says the opposite, and does not count.
                if (layer == 0 && head == 0) == (branch == 0) { return position == 0 ? 0.5 : 0 }
                return position == 0 ? 0 : position < 5 ? 0.01 : 0.04
            }
        }
    }

    @Test func heatKVDropsTheLeastAttendedBlocksWhole() throws {
        let statistics = try blockStatistics()
        // 4 heads, T = 47 of 56 slots, one sink token each: ceil((56 - 47) / 13) = 1 head lacks scales 1 and 2.
        let one = try profile("heatkv", statistics, .tokensPerCell(11.75), ["sinkScales": 1])
        #expect(tokens(one, scale: 3) == [1, 14, 14, 14])
        #expect(one.policy.parameters.integer("sinkScales") == 1)
        #expect(one.policy.parameters["activation"] == "strict")
        // T = 8: ceil(48 / 13) = 4 heads, all but the sink goes; at scale 2 ceil((20 - 8) / 4) = 3.
        let most = try profile("heatkv", statistics, .tokensPerCell(2), ["sinkScales": 1, "activation": "boundary"])
        #expect(tokens(most, scale: 3) == [1, 1, 1, 1])
        #expect(tokens(most, scale: 2) == [1, 1, 1, 5])
        // By default the sinks take at most half: 5 of 10 tokens, but 1 of 9.
        #expect(try profile("heatkv", statistics, .tokensPerCell(10)).policy.parameters.integer("sinkScales") == 2)
        #expect(try profile("heatkv", statistics, .tokensPerCell(9)).policy.parameters.integer("sinkScales") == 1)
        #expect(try profile("heatkv", statistics, .tokensPerCell(1)).policy.parameters.integer("sinkScales") == 0)
        #expect(throws: VernierError.self) {
            try profile("heatkv", statistics, .tokensPerCell(4), ["sinkScales": 2])
        }
        #expect(throws: VernierError.self) {
            try profile("heatkv", statistics, .tokensPerCell(10), ["sinkScales": 3])
        }
    }

    @Test func scaleBlocksCarryTheScheduleAsAPlan() throws {
        let statistics = try blockStatistics()
        for activation in ["strict", "boundary"] {
            for tokens in [1.0, 2, 6, 11.75, 14] {
                let profile = try compile(
                    statistics: statistics,
                    request: CompilationRequest(
                        policy: PolicyDescription(name: "heatkv", parameters: ["activation": .string(activation)]),
                        budget: .tokensPerCell(tokens), selection: .scaleBlocks, toolVersion: "test"))
                let plan = try #require(profile.plan)
                #expect(plan.capacities == profile.capacities)
                for scale in 1..<4 {
                    for cell in 0..<4 {
                        let groups = plan.groups(
                            branch: 0, scale: scale, layer: cell / 2, head: cell % 2, schedule: profile.schedule)
                        #expect(groups.allSatisfy { $0.count == 1 }, "nothing is merged")
                        let kept = Set(groups.joined())
                        for source in 0..<scale {
                            let first = profile.schedule.historyTokens(source)
                            let block = Set(first..<first + profile.schedule.tokenCount(source))
                            #expect(kept.isSuperset(of: block) || kept.isDisjoint(with: block), "whole or not at all")
                        }
                    }
                }
                let text = try profile.canonicalText()
                #expect(try Profile(parsing: text, name: "x") == profile)
            }
        }
        // Head 0 of layer 0 holds its sink alone.
        let one = try compile(
            statistics: statistics,
            request: CompilationRequest(
                policy: PolicyDescription(name: "heatkv", parameters: ["sinkScales": 1]), budget: .tokensPerCell(11.75),
                selection: .scaleBlocks, toolVersion: "test"))
        #expect(one.plan?.groups(branch: 1, scale: 3, layer: 0, head: 0, schedule: one.schedule) == [[0]])
        // The rule's choice is that policy's, and no other's.
        #expect(throws: VernierError.self) {
            try compile(
                statistics: statistics,
                request: CompilationRequest(
                    policy: PolicyDescription(name: "uniform"), budget: .tokensPerCell(4), selection: .scaleBlocks,
                    toolVersion: "test"))
        }
    }

    @Test func strictHeatKVHoldsTheBudgetAfterEveryWrite() throws {
        for seed in 0..<6 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            let schedule = try SyntheticStatistics.schedule([1, 2, 3, 4, 5, 6, 8, 10])
            let orders = (0..<5).map { _ in (0..<32).shuffled(using: &random) }
            for slots in [32 * 16, 32 * 31, 32 * 60, 32 * 100, 32 * 155] {
                let strict = try HeatKVSchedule(
                    schedule: schedule, layers: 8, heads: 4, sinkScales: 2, orders: orders, slots: slots,
                    isStrict: true)
                let plan = ResidentPlan(
                    capacities: strict.capacities, schedule: schedule, storage: .float32, headWidth: 16, branches: 1)
                #expect(plan.residentSlots <= slots)
                for scale in 1..<8 {
                    for layer in 0..<8 {
                        for head in 0..<4 {
                            #expect(
                                strict.holds(source: 0, layer: layer, head: head, scale: scale), "sinks stay")
                            for source in 0..<(scale - 1)
                            where strict.holds(source: source, layer: layer, head: head, scale: scale) {
                                #expect(
                                    strict.holds(source: source, layer: layer, head: head, scale: scale - 1),
                                    "nothing returns")
                            }
                        }
                    }
                }
            }
        }
    }
}
