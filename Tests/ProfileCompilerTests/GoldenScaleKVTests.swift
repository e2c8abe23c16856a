import Checkpoints
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// The two published 10 % budget files of ScaleKV, to the token.
@Suite struct GoldenScaleKVTests {
    private static let sides = [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64]

    @Test(arguments: ["2b", "8b"]) func publishedBudgetsComeOut(_ model: String) throws {
        let golden = try Golden.open("scalekv-budgets")
        let config = try golden.config.member("models").member(model)
        let layers = try config.member("blocks").integer()
        let drafterSets = try config.member("drafters").elements().map { try $0.integers() }
        let rows = try golden.int32("budget.\(model)", shape: [5, layers]).map(Int.init)
        var roles = [[LayerRole]](repeating: Array(repeating: .unassigned, count: layers), count: 13)
        for (index, drafters) in drafterSets.enumerated() {
            roles[8 + index] = (0..<layers).map { drafters.contains($0) ? .drafter : .refiner }
        }
        for heads in [1, 3] {
            let statistics = try SyntheticStatistics.make(layers: layers, heads: heads, sides: Self.sides) { _, _ in 0.5
            }
            let problem = AllocationProblem(statistics: statistics, slotsPerBranch: 650 * layers * heads)
            #expect(problem.compressedScales == [8, 9, 10, 11, 12])
            let allocation = try ScaleKVPolicy().allocate(problem, roles: roles, parameters: [:])
            #expect(allocation.parameters.integer("floor") == 200)
            for scale in 0..<13 {
                for head in 0..<heads {
                    let actual = (0..<layers).map { allocation.capacities[0, scale, $0, head] }
                    let expected =
                        scale < 8
                        ? Array(repeating: statistics.schedule.historyTokens(scale), count: layers)
                        : Array(rows[(scale - 8) * layers..<(scale - 7) * layers])
                    expectSame(actual, expected, what: "\(model), scale \(scale), head \(head)")
                }
            }
        }
    }

    /// From statistics: the two layers that look furthest back become the drafters of the published 2B file.
    @Test func statisticsLeadToThePublished2BRows() throws {
        let statistics = try SyntheticStatistics.make(layers: 32, heads: 2, sides: Self.sides) { layer, scale in
            switch layer {
            case 0: scale == 12 ? 0.01 : 0.1
            case 23: scale == 12 ? 0.69 : 0.1
            default: 0.7
            }
        }
        let profile = try compile(
            statistics: statistics,
            request: CompilationRequest(
                policy: PolicyDescription(name: "scalekv", parameters: ["drafters": 9, "floor": 200]),
                budget: .tokensPerCell(650), toolVersion: "test"))
        let golden = try Golden.open("scalekv-budgets").int32("budget.2b", shape: [5, 32]).map(Int.init)
        for scale in 8..<13 {
            let actual = (0..<32).map { profile.capacities[0, scale, $0, 0] }
            expectSame(actual, Array(golden[(scale - 8) * 32..<(scale - 7) * 32]), what: "scale \(scale)")
        }
    }
}
