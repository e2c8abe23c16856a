import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

@Suite struct PolicyTests {
    private static let sides = [1, 2, 3, 4, 5, 6, 8, 10]

    private func profile(
        _ policy: String, _ budget: BudgetRequest, _ parameters: Parameters = [:],
        _ statistics: CalibrationStatistics? = nil
    ) throws -> Profile {
        let statistics =
            try statistics ?? SyntheticStatistics.random(layers: 8, heads: 4, sides: Self.sides, seed: 2)
        return try compile(
            statistics: statistics,
            request: CompilationRequest(
                policy: PolicyDescription(name: policy, parameters: parameters), budget: budget, toolVersion: "test"))
    }

    private func layerTokens(_ profile: Profile, scale: Int) -> [Int] {
        (0..<profile.model.layers).map { profile.capacities[0, scale, $0, profile.model.heads - 1] }
    }

    @Test func uniformGivesEveryCellTheSame() throws {
        #expect(layerTokens(try profile("uniform", .tokensPerCell(16)), scale: 7) == Array(repeating: 16, count: 8))
        let uneven = try profile("uniform", .tokensPerCell(16.1))
        #expect((0..<8).map { uneven.capacities[0, 7, $0 / 4, $0 % 4] } == [17, 17, 17, 16, 16, 16, 16, 16])
    }

    @Test func pyramidFallsLinearly() throws {
        // B = 40, beta = 4: from 70 to 10; what rounding leaves over goes to the first layers.
        #expect(
            layerTokens(try profile("pyramid", .tokensPerCell(40), ["beta": 4]), scale: 7)
                == [71, 62, 53, 44, 35, 27, 18, 10])
        #expect(
            layerTokens(try profile("pyramid", .tokensPerCell(40), ["beta": 1]), scale: 7)
                == Array(repeating: 40, count: 8))
        // The first layer cannot hold more than the history of 155; the mean stays.
        let steep = layerTokens(try profile("pyramid", .tokensPerCell(100)), scale: 7)
        #expect(steep.first == 155)
        #expect(steep.reduce(0, +) <= 800)
    }

    @Test func linearScaleKVLosesDeltaAtEveryScale() throws {
        let statistics = try SyntheticStatistics.make(layers: 8, heads: 1, sides: Self.sides) { layer, _ in
            layer < 2 ? 0.1 : 0.8
        }
        let profile = try profile(
            "scalekv-linear", .tokensPerCell(26), ["delta": 3.5, "drafters": 8], statistics)
        // Histories 30 55 91 155 at scales 4 to 7; refiners 26, 22, 19, 15.
        #expect(profile.roles[3].allSatisfy { $0 == .unassigned })
        #expect(layerTokens(profile, scale: 4) == Array(repeating: 26, count: 8))
        #expect(layerTokens(profile, scale: 5) == [38, 38, 22, 22, 22, 22, 22, 22])
        #expect(layerTokens(profile, scale: 6) == [47, 47, 19, 19, 19, 19, 19, 19])
        #expect(layerTokens(profile, scale: 7) == [59, 59, 15, 15, 15, 15, 15, 15])
    }

    @Test func draftersAreTheLayersThatAttendTheHistory() throws {
        let statistics = try SyntheticStatistics.make(
            layers: 4, heads: 2, sides: Self.sides, topShare: { layer, _ in layer == 3 ? 0.1 : 0.9 },
            currentMass: { layer, _ in [0.6, 0.99, 0.6, 0.2][layer] })
        // normalised: 0.54 0.891 0.54 0.02; raw: 0.216 0.009 0.216 0.016.
        let normalised = try profile("scalekv", .keptShare(0.1), ["drafters": 4], statistics)
        let scales = [4, 5, 6, 7]
        #expect(scales.allSatisfy { normalised.roles[$0][3] == .drafter && normalised.roles[$0][1] == .refiner })
        let raw = try profile("scalekv", .keptShare(0.1), ["drafters": 4, "index": "raw"], statistics)
        #expect(scales.allSatisfy { raw.roles[$0][1] == .drafter && raw.roles[$0][3] == .refiner })
        #expect(raw.policy.parameters.integer("drafters") == 4)
        #expect(raw.policy.parameters.integer("topCount") == 4)
        #expect(raw.policy.parameters["index"] == "raw")
        // Ties go to the lower scale and then to the lower layer.
        let equal = try SyntheticStatistics.make(layers: 4, heads: 2, sides: Self.sides) { _, _ in 0.5 }
        let tied = try profile("scalekv", .keptShare(0.1), ["drafters": 5], equal)
        #expect(tied.roles[4].allSatisfy { $0 == .drafter })
        #expect(tied.roles[5] == [.drafter, .refiner, .refiner, .refiner])
    }

    @Test func aFifthOfThePairsDraftsByDefault() throws {
        let profile = try profile("scalekv", .keptShare(0.1))
        // H = 5 14 30 55 91 155 exceed a mean of 15: scales 4 to 7 of 8 layers are 32 pairs.
        #expect(profile.policy.parameters.integer("drafters") == 6)
        #expect(profile.roles.joined().count { $0 == .drafter } == 6)
        #expect(profile.policy.parameters.integer("floor") == 5)
    }

    @Test func provenanceNamesTheInputs() throws {
        let one = try SyntheticStatistics.random(layers: 8, heads: 4, sides: Self.sides, seed: 2)
        let two = try SyntheticStatistics.random(layers: 8, heads: 4, sides: Self.sides, seed: 3)
        let profiles = try [one, one, two].map { try profile("uniform", .keptShare(0.1), [:], $0) }
        #expect(profiles[0].provenance.statisticsDigest == profiles[1].provenance.statisticsDigest)
        #expect(profiles[0].provenance.statisticsDigest != profiles[2].provenance.statisticsDigest)
        #expect(profiles[0].provenance.corpusDigest == SyntheticStatistics.digest)
        #expect(profiles[0].provenance.promptCount == 1)
        #expect(profiles[0].provenance.seed == 11)
        #expect(profiles[0].provenance.toolVersion == "test")
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        let policy: String
        var budget = BudgetRequest.keptShare(0.1)
        var parameters: Parameters = [:]
        let code: VernierError.Code
        let message: String
        var testDescription: String { message }
    }

    static let failures: [Failure] = [
        Failure(
            policy: "magic", code: .invalidArgument,
            message:
                "policy: expected one of rate-distortion, uniform, pyramid, head-adaptive, cake, scalekv, scalekv-linear, heatkv, hack, "
                + "found \"magic\"."),
        Failure(
            policy: "pyramid", parameters: ["beta": 0.5, "gamma": 1], code: .invalidArgument,
            message: "policy 'pyramid': beta: expected a number from 1.0 to 1000000.0, found 0.5; "
                + "unknown parameter \"gamma\"; known are: beta."),
        Failure(
            policy: "uniform", parameters: ["beta": 2], code: .invalidArgument,
            message: "policy 'uniform': unknown parameter \"beta\"; known are: none."),
        Failure(
            policy: "scalekv", parameters: ["index": "best"], code: .invalidArgument,
            message: "policy 'scalekv': index: expected one of raw, normalised, found the string \"best\"."),
        Failure(
            policy: "scalekv", parameters: ["topCount": 5], code: .invalidArgument,
            message: "policy 'scalekv': expected a topCount that was measured (1, 4, 16), found 5."),
        Failure(
            policy: "scalekv", parameters: ["drafters": 57], code: .invalidArgument,
            message: "policy 'scalekv': expected at most 56 drafters (8 layers at 7 scales with history), found 57."),
        Failure(
            policy: "scalekv", parameters: ["floor": 64], code: .infeasibleBudget,
            message: "policy 'scalekv': expected at least 64 tokens per cell, the floor of a refiner, found 15.5. "
                + "Ask for a larger budget, or set a lower floor."),
        Failure(
            policy: "scalekv", budget: .tokensPerCell(0.5), code: .infeasibleBudget,
            message: "policy 'scalekv': expected at least 1 tokens per cell, the floor of a refiner, found 0.5. "
                + "Ask for a larger budget, or set a lower floor."),
        Failure(
            policy: "uniform", budget: .tokensPerCell(0.03), code: .infeasibleBudget,
            message:
                "budget of 0.03 tokens per cell: expected at least 1 slot per branch, found none for 32 cells. "
                + "The full cache has 4960 slots per branch; ask for at least 0.03125 tokens per cell."),
        Failure(
            policy: "uniform", budget: .bytes(255), code: .infeasibleBudget,
            message: "budget of 255 bytes: 'uniform' needs at least about 256 resident bytes, found 255. "
                + "The full cache takes 1269760 bytes for one image; ask for more, or choose another policy."),
        Failure(
            policy: "uniform", budget: .keptShare(0), code: .invalidArgument,
            message: "budget: expected a share above 0 % and at most 100 %, found 0.0 %. 100 % keeps the whole cache."),
        Failure(
            policy: "uniform", budget: .tokensPerCell(.nan), code: .invalidArgument,
            message: "budget: expected more than 0 and at most 1099511627776 tokens per cell, found nan."),
    ]

    @Test(arguments: failures) func errorsSayWhatToDo(_ failure: Failure) throws {
        let error = try #require(throws: VernierError.self) {
            try profile(failure.policy, failure.budget, failure.parameters)
        }
        #expect(error.code == failure.code)
        #expect(error.description == failure.message)
    }

    @Test func statisticsWithoutPromptsAreRefused() throws {
        let statistics = try SyntheticStatistics.make(layers: 2, heads: 1, sides: [1, 2], prompts: 0) { _, _ in 0.5 }
        let error = try #require(throws: VernierError.self) {
            try profile("uniform", .keptShare(0.5), [:], statistics)
        }
        #expect(error.code == .emptyInput)
    }

    @Test func aModelOfOneScaleNeedsNoProfile() throws {
        let statistics = try SyntheticStatistics.make(layers: 2, heads: 1, sides: [4]) { _, _ in 1 }
        for budget: BudgetRequest in [.keptShare(0.5), .tokensPerCell(1), .bytes(100)] {
            let error = try #require(throws: VernierError.self) { try profile("uniform", budget, [:], statistics) }
            #expect(error.code == .infeasibleBudget)
        }
    }

    @Test func drafterCountsHoldAtEveryBudget() throws {
        for budget: BudgetRequest in [.bytes(200_000), .keptShare(1), .keptShare(0.6)] {
            let profile = try profile("scalekv", budget, ["drafters": 20])
            let compressed = profile.roles.joined().count { $0 != .unassigned }
            #expect(profile.roles.joined().count { $0 == .drafter } == min(20, compressed))
        }
    }

    @Test func largeBudgetsKeepEverything() throws {
        for budget: BudgetRequest in [.keptShare(1), .tokensPerCell(1e6), .bytes(1 << 40)] {
            for policy in allocationPolicies {
                let profile = try profile(policy.name, budget)
                #expect(profile.capacities == .full(schedule: profile.schedule, layers: 8, heads: 4))
            }
        }
    }

    @Test func policiesDescribeThemselves() {
        #expect(
            allocationPolicies.map(\.name)
                == [
                    "rate-distortion", "uniform", "pyramid", "head-adaptive", "cake", "scalekv", "scalekv-linear",
                    "heatkv", "hack",
                ])
        for policy in allocationPolicies {
            #expect(policy.summary.hasSuffix("."))
            for parameter in policy.parameters {
                #expect(parameter.meaning.hasSuffix("."), "\(parameter.name)")
                #expect(!parameter.values.isEmpty)
            }
        }
    }
}
