import Checkpoints
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// What of a profile a ScaleKV budget file can say, and how the rest is refused or told.
@Suite struct ScaleKVExportTests {
    private static func profile(
        layers: Int = 32, heads: Int = 2, branches: Int = 2, family: String = "infinity",
        schedule: ScaleSchedule? = nil,
        selection: String = "scalekv-compat", storage: CellStorage = .float32,
        tokens: (_ branch: Int, _ scale: Int, _ layer: Int, _ head: Int) -> Int
    ) throws -> Profile {
        let schedule = schedule ?? ScaleKVBudgets.schedule
        let digest = SyntheticStatistics.digest
        var table = CellCapacities(
            branchCount: branches, scaleCount: schedule.scaleCount, layerCount: layers, headCount: heads)
        for branch in 0..<branches {
            for scale in 0..<schedule.scaleCount {
                for layer in 0..<layers {
                    for head in 0..<heads {
                        table[branch, scale, layer, head] = min(
                            tokens(branch, scale, layer, head), schedule.historyTokens(scale))
                    }
                }
            }
        }
        return try Profile(
            model: ModelIdentity(
                family: family, name: "m", branches: 2, layers: layers, heads: heads, headWidth: 16,
                shapeDigest: digest,
                weightsDigest: digest), schedule: schedule, policy: PolicyDescription(name: "uniform"),
            selection: SelectionRule(name: selection), storage: storage, requestedBudget: .keptShare(1),
            capacities: table,
            provenance: Provenance(
                toolVersion: "test", statisticsDigest: digest, corpusDigest: digest, promptCount: 1, seed: 0))
    }

    private static func budgets(_ text: String) throws -> ScaleKVBudgets {
        var warnings: [String] = []
        return try ScaleKVBudgets(reading: PeerFile(name: "b", text: text).root, warnings: &warnings)
    }

    @Test func twoNumbersAScaleAreSaidExactly() throws {
        let profile = try Self.profile { _, scale, layer, _ in scale < 8 ? 1 << 20 : layer % 3 == 0 ? 800 : 200 }
        let exported = try exportScaleKVBudgets(profile, name: "p.json")
        #expect(exported.warnings == [])
        let budgets = try Self.budgets(exported.text)
        for row in budgets.rows {
            #expect(row.most == 800 && row.least == 200)
            #expect(row.drafters == (0..<32).map { $0 % 3 == 0 })
        }
        // 400 on average: below the history that the released code must see untouched.
        #expect(exported.usage.contains("max_capacity=521,"))
    }

    @Test func oneNumberAScaleHasNoDrafters() throws {
        let exported = try exportScaleKVBudgets(Self.profile { _, scale, _, _ in scale < 8 ? 1 << 20 : 700 }, name: "p")
        let budgets = try Self.budgets(exported.text)
        #expect(budgets.rows.allSatisfy { $0.most == 700 && $0.least == 700 && !$0.drafters.contains(true) })
        #expect(exported.warnings == [] && exported.usage.contains("max_capacity=700,"))
        let whole = try exportScaleKVBudgets(Self.profile { _, _, _, _ in 1 << 20 }, name: "p")
        #expect(try Self.budgets(whole.text).rows.map(\.most) == [921, 1497, 2521, 4121, 6425])
        #expect(whole.usage.contains("max_capacity=920,"))
    }

    @Test func headsAndBranchesAreAveragedAndSaid() throws {
        let profile = try Self.profile { branch, scale, layer, head in
            scale < 8 ? 1 << 20 : layer == 4 ? 300 + 10 * head + branch : 300
        }
        let exported = try exportScaleKVBudgets(profile, name: "p.json")
        // 300, 310, 301, 311: 305.5, rounded down.
        #expect(try Self.budgets(exported.text).rows.allSatisfy { $0.most == 305 && $0.least == 300 && $0.drafters[4] })
        #expect(exported.warnings.count == 5)
        #expect(
            exported.warnings.first
                == "p.json: at Scale 9 the heads of 1 layer hold different numbers of tokens; their mean is written")
    }

    @Test func moreThanTwoNumbersAreBroughtToTheNearestTwo() throws {
        let levels = [100, 110, 400, 420]
        let profile = try Self.profile { _, scale, layer, _ in scale < 8 ? 1 << 20 : levels[layer % 4] }
        let exported = try exportScaleKVBudgets(profile, name: "p.json")
        for row in try Self.budgets(exported.text).rows {
            #expect(row.most == 410 && row.least == 105 && row.drafters == (0..<32).map { $0 % 4 > 1 })
        }
        #expect(
            exported.warnings.last
                == "p.json: at Scale 13 the layers hold 4 different numbers of tokens; 410 and 105 are written, at most 10 off"
        )
        // Never more than the profile's own total.
        let total = try Self.budgets(exported.text).rows[4]
        #expect((0..<32).reduce(0) { $0 + total.tokens($1) } <= (0..<32).reduce(0) { $0 + levels[$1 % 4] })
    }

    @Test func nearestTwoNumbersAreTheBestOfAllCuts() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<50 {
            let tokens = (0..<32).map { _ in 16 + Int(random.next() % 900) }
            func cost(_ row: ScaleKVBudgets.Row) -> Int {
                tokens.indices.reduce(0) { $0 + (tokens[$1] - row.tokens($1)) * (tokens[$1] - row.tokens($1)) }
            }
            let found = ScaleKVExport.row(tokens, roles: [])
            for cut in Set(tokens) {
                let high = tokens.filter { $0 >= cut }, low = tokens.filter { $0 < cut }
                guard !low.isEmpty else { continue }
                let other = ScaleKVBudgets.Row(
                    drafters: tokens.map { $0 >= cut }, most: high.reduce(0, +) / high.count,
                    least: low.reduce(0, +) / low.count)
                #expect(cost(found) <= cost(other))
            }
        }
    }

    @Test func whatTheReleasedCodeCannotRunIsRefused() throws {
        func problems(_ profile: Profile) throws -> String {
            let error = try #require(throws: VernierError.self) {
                try exportScaleKVBudgets(profile, name: "p.json", budgetsOnly: true)
            }
            #expect(error.code == .invalidArgument && error.place == "p.json")
            return error.description
        }
        let full: (Int, Int, Int, Int) -> Int = { _, scale, _, _ in scale < 8 ? 1 << 20 : 650 }
        let quarter = InfinitySchedule(resolution: .quarter).schedule
        let wide = InfinitySchedule(aspect: try InfinityAspect(named: "4:3"), resolution: .full).schedule
        for schedule in [quarter, wide] {
            #expect(try problems(Self.profile(schedule: schedule, tokens: full)).contains("(1:1 at 1M), found"))
        }
        let small = try problems(Self.profile(layers: 12, family: "var", tokens: full))
        #expect(small.contains("expected 32 or 40 layers") && small.contains("expected the family \"infinity\""))
        #expect(
            try problems(
                Self.profile { _, scale, layer, _ in scale == 7 && layer == 3 ? 520 : scale < 8 ? 1 << 20 : 500 }
            )
            .contains("expected the whole history before Scale 9, found less at Scale 8"))
        #expect(
            try problems(Self.profile { _, scale, layer, _ in scale < 8 ? 1 << 20 : layer == 9 ? 15 : 300 })
                .contains("expected at least 16 tokens a block, the released window, found 15"))
        #expect(
            try exportScaleKVBudgets(Self.profile { _, scale, _, _ in scale < 8 ? 1 << 20 : 16 }, name: "p").warnings
                == [])
    }

    @Test func whatIsNotInTheFileIsRefusedOrLeftOutOnDemand() throws {
        let tokens: (Int, Int, Int, Int) -> Int = { _, scale, _, _ in scale < 8 ? 1 << 20 : 650 }
        for (profile, message) in [
            (try Self.profile(selection: "attention-mass", tokens: tokens), "the rule attention-mass"),
            (try Self.profile(storage: .int8, tokens: tokens), "storage in int8 cannot be said"),
        ] {
            let error = try #require(throws: VernierError.self) { try exportScaleKVBudgets(profile, name: "p.json") }
            #expect(error.description.contains(message) && error.description.contains("Ask for the budgets only"))
            let exported = try exportScaleKVBudgets(profile, name: "p.json", budgetsOnly: true)
            #expect(exported.warnings.count == 1)
            #expect(exported.warnings[0].contains(message) && exported.warnings[0].hasSuffix("; left out"))
            #expect(try Self.budgets(exported.text).rows.allSatisfy { $0.most == 650 })
        }
        #expect(try exportScaleKVBudgets(Self.profile(storage: .bfloat16, tokens: tokens), name: "p").warnings == [])
    }
}
