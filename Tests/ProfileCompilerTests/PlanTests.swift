import CalibrationStatistics
import ProfileFormat
import Testing
import VernierCore

@testable import ProfileCompiler

struct PlanTests {
    static let sides = [1, 2, 3, 4, 5]  // histories 0 1 5 14 30

    static func statistics(seed: UInt64 = 4) throws -> CalibrationStatistics {
        try SyntheticStatistics.random(layers: 3, heads: 2, sides: sides, seed: seed, signs: 8)
    }

    static func profile(
        _ budget: BudgetRequest, policy: String = "rate-distortion", selection: SelectionRule = .poolingPlan(),
        statistics: CalibrationStatistics? = nil
    ) throws -> Profile {
        try compile(
            statistics: statistics ?? self.statistics(),
            request: CompilationRequest(
                policy: PolicyDescription(name: policy), budget: budget, selection: selection, toolVersion: "test"))
    }

    static let selections: [SelectionRule] = [
        .poolingPlan(), .poolingPlan(massWeighted: false, sharedBranches: false), .poolingPlan(drops: true),
        .positionPlan(), .positionPlan(summary: true), .spatial,
    ]

    @Test(arguments: selections, ["rate-distortion", "uniform", "scalekv-linear"])
    func totalsAreExactAndFilesAreStable(selection: SelectionRule, policy: String) throws {
        for tokens in [2.0, 5.5, 12] {
            let profile = try Self.profile(.tokensPerCell(tokens), policy: policy, selection: selection)
            let again = try Self.profile(.tokensPerCell(tokens), policy: policy, selection: selection)
            #expect(profile == again)
            let read = try Profile(parsing: profile.canonicalText(), name: "profile")
            #expect(read == profile)
            for scale in Self.sides.indices {
                let slots = (0..<2).reduce(0) { $0 + profile.capacities.totalTokens(scale: scale, branch: $1) }
                #expect(slots == min(2 * 6 * profile.schedule.historyTokens(scale), 2 * Int(tokens * 6)))
            }
            #expect(profile.plan?.capacities == profile.capacities)
        }
    }

    @Test func bytesAreRespectedAndNearlyUsed() throws {
        for bytes in [15_000, 25_000, 40_000] {
            let profile = try Self.profile(.bytes(bytes))
            #expect(profile.residentBytes <= bytes)
            #expect(profile.residentBytes > bytes * 9 / 10)
        }
    }

    @Test func moreSlotsNeverCostMore() throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let builder = PlanBuilder(
                statistics: try Self.statistics(seed: seed),
                form: .pooling(keyWeight: 0.25, drops: false, mean: .plain))
            var before = Double.infinity
            for slots in [12, 24, 40, 70, 120, 200, 360] {
                let cost = try builder.build(.total(slots: slots)).costByScale.reduce(0, +)
                #expect(cost <= before)
                before = cost
            }
            #expect(before == 0)
        }
    }

    /// One budget over all cells is at least as good, by its own measure and at the first boundary, as equal budgets.
    @Test func oneBudgetBeatsEqualOnes() throws {
        let statistics = try Self.statistics()
        let builder = PlanBuilder(
            statistics: statistics, form: .pooling(keyWeight: 0.25, drops: false, mean: .plain))
        let equal = try Self.profile(.tokensPerCell(4), policy: "uniform", statistics: statistics)
        let first = try #require((1..<5).first { equal.schedule.historyTokens($0) > 4 })
        let shared = try builder.build(.total(slots: 48)).costByScale[first]
        let apart = try builder.build(.capacities(equal.capacities)).costByScale[first]
        #expect(shared <= apart)
    }

    @Test func positionPlansKeepPositionsAndSummaries() throws {
        let plain = try Self.profile(.tokensPerCell(5), selection: .positionPlan())
        let summary = try Self.profile(.tokensPerCell(5), policy: "uniform", selection: .positionPlan(summary: true))
        for (profile, mostPooled) in [(plain, 0), (summary, 1)] {
            let plan = try #require(profile.plan)
            for cell in 0..<12 {
                let groups = plan.groups(
                    branch: cell / 6, scale: 4, layer: cell / 2 % 3, head: cell % 2, schedule: profile.schedule)
                #expect(groups.count { $0.count > 1 } <= mostPooled)
                if mostPooled == 1 { #expect(groups.flatMap { $0 }.count == 30) }
            }
        }
    }

    @Test func spatialGroupsStayOnOneMapWhileTheyCan() throws {
        let profile = try Self.profile(.tokensPerCell(8), policy: "uniform", selection: .spatial)
        let plan = try #require(profile.plan)
        let groups = plan.groups(branch: 0, scale: 4, layer: 1, head: 1, schedule: profile.schedule)
        #expect(groups.count == 8)
        for group in groups {
            let scales = Set(group.map { position in (0..<5).last { profile.schedule.historyTokens($0) <= position } })
            #expect(scales.count == 1)
        }
    }

    @Test func capacitiesForScoringRulesComeFromPositions() throws {
        let profile = try Self.profile(.tokensPerCell(6), selection: .attentionMass())
        #expect(profile.plan == nil && profile.policy.name == "rate-distortion")
        #expect(profile.realisedBudget.lastScaleSlots == 2 * 36)
    }

    @Test func refinementCannotBeClaimed() throws {
        let error = #expect(throws: VernierError.self) {
            try Self.profile(.tokensPerCell(5), selection: .poolingPlan(refinedPrompts: 7))
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test func withoutSketchesItSaysWhatToDo() throws {
        let statistics = try SyntheticStatistics.random(layers: 3, heads: 2, sides: Self.sides, seed: 1, signs: 0)
        for selection in [SelectionRule.poolingPlan(), .positionPlan(), .attentionMass()] {
            let error = #expect(throws: VernierError.self) {
                try Self.profile(.tokensPerCell(5), selection: selection, statistics: statistics)
            }
            #expect(error?.code == .corruptState)
            #expect("\(error.map { "\($0)" } ?? "")".contains("--signs"))
        }
        // Geometry needs no measurement.
        let spatial = try Self.profile(
            .tokensPerCell(5), policy: "uniform", selection: .spatial, statistics: statistics)
        #expect(spatial.plan != nil)
    }
}
