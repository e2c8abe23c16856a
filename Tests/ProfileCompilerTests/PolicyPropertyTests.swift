import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// What holds for every policy, schedule and budget.
@Suite struct PolicyPropertyTests {
    struct Shape: Sendable, CustomStringConvertible {
        let sides: [Int]
        let layers: Int
        let heads: Int
        let branches: Int
        var description: String { "\(sides) x \(layers) layers x \(heads) heads x \(branches) branches" }
    }

    static let shapes = [
        Shape(sides: [1, 2, 3, 4, 5, 6, 8, 10], layers: 8, heads: 4, branches: 2),
        Shape(sides: [1, 2], layers: 1, heads: 1, branches: 1),
        Shape(sides: [3, 1, 1, 7, 1, 1], layers: 5, heads: 3, branches: 2),
        Shape(sides: [5, 5, 5], layers: 2, heads: 1, branches: 4),
        Shape(sides: [1, 2, 4, 6, 8, 12, 16], layers: 7, heads: 2, branches: 2),
    ]

    private static let shares = [0.003, 0.02, 0.05, 0.1, 0.123456, 0.2, 1.0 / 3, 0.5, 0.75, 0.9, 0.99, 0.9999, 1]

    private func request(_ policy: String, _ budget: BudgetRequest, _ parameters: Parameters = [:])
        -> CompilationRequest
    {
        CompilationRequest(
            policy: PolicyDescription(name: policy, parameters: parameters), budget: budget, toolVersion: "test")
    }

    @Test(arguments: allocationPolicies.map(\.name)) func totalsAreExactAndWithinBounds(_ policy: String) throws {
        try withEvery("shape", in: Self.shapes) { shape in
            for seed in 0..<2 as Range<UInt64> {
                let statistics = try SyntheticStatistics.random(
                    layers: shape.layers, heads: shape.heads, branches: shape.branches, sides: shape.sides, seed: seed)
                let schedule = statistics.schedule
                let cells = shape.layers * shape.heads
                var previousTotals = [Int](repeating: 0, count: schedule.scaleCount)
                try withEvery("share", in: Self.shares) { share in
                    let slots = Int(
                        (share * Double(schedule.finalHistoryTokens * cells) + 1e-9).rounded(.down))
                    let profile: Profile
                    do {
                        profile = try compile(statistics: statistics, request: request(policy, .keptShare(share)))
                    } catch let error as VernierError where error.code == .infeasibleBudget {
                        // Only below one token a cell, and for others than ScaleKV only without a single slot.
                        #expect(slots < (policy.hasPrefix("scalekv") ? cells : 1), "\(error)")
                        return
                    }
                    #expect(profile.checkInvariants() == [])
                    for scale in 0..<schedule.scaleCount {
                        let total = profile.capacities.totalTokens(scale: scale, branch: 0)
                        let most = min(slots, schedule.historyTokens(scale) * cells)
                        // HeatKV drops whole blocks, and so may stay below.
                        #expect(policy == "heatkv" ? total <= most : total == most, "scale \(scale)")
                        #expect(policy == "heatkv" || total >= previousTotals[scale], "scale \(scale)")
                        previousTotals[scale] = total
                    }
                    if share == 1 {
                        #expect(
                            profile.capacities
                                == .full(
                                    schedule: schedule, layers: shape.layers, heads: shape.heads))
                    }
                }
            }
        }
    }

    @Test(arguments: allocationPolicies.map(\.name)) func theSameInputsGiveTheSameBytes(_ policy: String) throws {
        for share in [0.1, 0.37] {
            let texts = try (0..<3).map { _ in
                let statistics = try SyntheticStatistics.random(
                    layers: 8, heads: 4, sides: [1, 2, 3, 4, 5, 6, 8, 10], seed: 3)
                return try compile(statistics: statistics, request: request(policy, .keptShare(share))).canonicalText()
            }
            #expect(texts[0] == texts[1])
            #expect(texts[0] == texts[2])
            #expect(try Profile(parsing: texts[0], name: "x").canonicalText() == texts[0])
        }
    }

    @Test(arguments: allocationPolicies.map(\.name)) func byteBudgetsAreSpentToTheSlot(_ policy: String) throws {
        let statistics = try SyntheticStatistics.random(
            layers: 6, heads: 2, sides: [1, 2, 3, 4, 5, 6, 8], seed: 5)
        let schedule = statistics.schedule
        let full = schedule.finalHistoryTokens * 12
        let allocator = try PolicyTable.policy(named: policy)
        let parameters = try PolicyParameter.complete([:], allocator.parameters, place: policy)
        func capacities(_ slots: Int) -> CellCapacities? {
            let problem = AllocationProblem(statistics: statistics, slotsPerBranch: slots)
            return try? allocator.allocate(problem, parameters: parameters).capacities
        }
        func residentBytes(_ slots: Int) -> Int? {
            capacities(slots).map {
                ResidentPlan(
                    capacities: $0, schedule: schedule, storage: .float32, headWidth: 16, branches: 2
                ).residentBytes()
            }
        }
        let bytesBySlots = (1...full).map { residentBytes($0) }
        for bytes in [300, 4000, 30_000, 77_777, 123_456, 200_000, 280_320, 999_999_999] {
            let fitting = bytesBySlots.indices.last { (bytesBySlots[$0] ?? .max) <= bytes }.map { $0 + 1 }
            if let fitting {
                let profile = try compile(statistics: statistics, request: request(policy, .bytes(bytes)))
                #expect(profile.residentBytes <= bytes)
                let best = try #require(capacities(fitting)).totalTokens(scale: 6, branch: 0)
                let total = profile.capacities.totalTokens(scale: 6, branch: 0)
                // HeatKV's bytes do not quite rise with its slots, so that the search may stop a block early.
                // A measured allocation takes too long to try every number of slots.
                switch policy {
                case "heatkv": #expect(2 * total >= best, "\(bytes) bytes")
                case "rate-distortion": #expect(50 * total >= 49 * best, "\(bytes) bytes")
                default: #expect(total == best && best == fitting, "\(bytes) bytes")
                }
            } else {
                let error = try #require(throws: VernierError.self) {
                    try compile(statistics: statistics, request: request(policy, .bytes(bytes)))
                }
                #expect(error.code == .infeasibleBudget)
            }
        }
    }

    @Test func settlementIsExact() throws {
        var random = SplitMix64(seed: 1)
        for _ in 0..<2000 {
            let count = random.integer(in: 1..<9)
            let bounds = (0..<count).map { _ in random.integer(in: 0..<30) }
            let wishes = (0..<count).map { _ in random.integer(in: 0..<40) }
            let total = random.integer(in: 0..<bounds.reduce(0, +) + 1)
            let tokens = Settlement.settle(wishes: wishes, bounds: bounds, total: total)
            #expect(tokens.reduce(0, +) == total)
            #expect(zip(tokens, bounds).allSatisfy { 0 <= $0 && $0 <= $1 })
        }
        #expect(Settlement.settle(wishes: [3, 1, 2], bounds: [5, 5, 5], total: 6) == [3, 1, 2])
        #expect(Settlement.settle(wishes: [2, 2, 2], bounds: [9, 9, 9], total: 8) == [3, 3, 2])
        #expect(Settlement.settle(wishes: [2, 2, 2], bounds: [2, 9, 9], total: 8) == [2, 3, 3])
        #expect(Settlement.settle(wishes: [9, 1, 1], bounds: [4, 9, 9], total: 11) == [4, 4, 3])
        #expect(Settlement.settle(wishes: [4, 4, 0], bounds: [9, 9, 9], total: 3) == [1, 2, 0])
    }
}
