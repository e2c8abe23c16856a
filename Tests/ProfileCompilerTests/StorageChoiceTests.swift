import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// Slots and bits bought with one currency.
@Suite struct StorageChoiceTests {
    private static let formats: [StorageFormat] = [.bfloat16, .int8, .int4]

    /// Random statistics of one probed prompt whose storage errors are about `unit`, 30 units and 1000 units.
    private func statistics(unit: Double, seed: UInt64 = 4) throws -> CalibrationStatistics {
        let plain = try PlanTests.statistics(seed: seed), layout = plain.layout
        var random = SplitMix64(seed: seed)
        var statistics = try CalibrationStatistics(
            identity: plain.identity, schedule: plain.schedule,
            settings: CalibrationSettings(
                topCounts: plain.settings.topCounts, signCount: plain.settings.signCount, sensitivityPrompts: 1,
                storageFormats: Self.formats, seed: 11, guidance: 3, temperature: 1, topP: 1, toolVersion: "test"),
            corpus: plain.corpus)
        var responses = LayerResponses(layout: layout)
        var errors = StorageErrors(layout: layout, formatCount: Self.formats.count)
        for cell in 0..<layout.cellCount where cell % layout.scaleCount > 0 {
            let size = unit * Double(random.float(in: 0.5...1.5))
            for (format, factor) in [1, 30.0, 1000].enumerated() { errors.values[format][cell] = size * factor }
        }
        for index in responses.divergence.indices where index % layout.scaleCount > 0 {
            responses.divergence[index] = Double(1 + index % 3)
            responses.squaredError[index] = 2
        }
        try statistics.add(
            plain.sums, corpusIndex: 0, promptDigest: SyntheticStatistics.digest, sketches: plain.sketches,
            responses: responses, storageErrors: errors)
        return statistics
    }

    private func request(
        _ budget: BudgetRequest, policy: String = "rate-distortion", selection: SelectionRule = .poolingPlan()
    ) -> CompilationRequest {
        CompilationRequest(
            policy: PolicyDescription(name: policy), budget: budget, selection: selection, storage: .chosen,
            toolVersion: "test")
    }

    private func choice(_ statistics: CalibrationStatistics, _ request: CompilationRequest) throws
        -> StorageSearch.Choice
    {
        let policy = RateDistortionPolicy()
        return try StorageSearch(
            statistics: statistics, policy: policy,
            parameters: PolicyParameter.complete(request.policy.parameters, policy.parameters, place: "test"),
            request: request
        ).choice()
    }

    /// The mean plan cost at half the slots: what errors may be compared with.
    private func unitOfCost() throws -> Double {
        let some = try statistics(unit: 0)
        let found = try choice(some, request(.tokensPerCell(8)))
        return found.slotCost / Double(some.layout.cellCount)
    }

    @Test func moreBytesNeverCostMore() throws {
        let unit = try unitOfCost()
        for (factor, seed) in [(1e-4, 4), (1e-3, 5), (1e-2, 4)] as [(Double, UInt64)] {
            let statistics = try statistics(unit: factor * unit, seed: seed)
            var before = Double.infinity, found: Set<String> = []
            for bytes in [2_500, 5_000, 10_000, 20_000, 40_000, 60_000] {
                let choice = try choice(statistics, request(.bytes(bytes)))
                #expect(choice.cost <= before, "\(bytes) bytes in \(choice.storage): \(choice.cost), before \(before)")
                #expect(choice.slotCost >= 0 && choice.storageCost >= 0)
                before = choice.cost
                found.insert(choice.storage.name)
                let profile = try compile(statistics: statistics, request: request(.bytes(bytes)))
                #expect(profile.residentBytes <= bytes && profile.storage == choice.storage)
                // No format alone does better.
                for format in [StorageFormat.float32] + Self.formats {
                    var alone = request(.bytes(bytes))
                    alone.storage = .fixed(CellStorage(uniform: format))
                    guard let own = try? self.choice(statistics, alone), let plan = own.allocation.plan else {
                        continue
                    }
                    let costs = StorageCost(
                        statistics: statistics, plan: plan,
                        layerWeights: RateDistortionPolicy.layerWeights(
                            statistics, parameters: own.allocation.parameters))
                    let cost = try #require(own.allocation.cost) + costs.cost(of: format)
                    #expect(choice.cost <= cost, "\(bytes) bytes, \(choice.storage) and \(format)")
                }
            }
            #expect(found.count > 1, "the format depends on the budget: \(found)")
        }
    }

    @Test func errorsDecide() throws {
        let free = try statistics(unit: 0), dear = try statistics(unit: 1e9 * unitOfCost())
        for budget in [BudgetRequest.bytes(10_000), .tokensPerCell(5), .keptShare(0.3)] {
            #expect(try compile(statistics: free, request: request(budget)).storage == .int4, "\(budget)")
            #expect(try compile(statistics: dear, request: request(budget)).storage == .float32, "\(budget)")
        }
        #expect(try compile(statistics: dear, request: request(.keptShare(1))).storage == .float32)
    }

    @Test func slotsGetTheNarrowestFormatThatAddsLittle() throws {
        let unit = try unitOfCost()
        var found: Set<String> = []
        for factor in [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1] {
            let statistics = try statistics(unit: factor * unit)
            let choice = try choice(statistics, request(.tokensPerCell(5)))
            let plan = try #require(choice.allocation.plan)
            let costs = StorageCost(
                statistics: statistics, plan: plan,
                layerWeights: RateDistortionPolicy.layerWeights(
                    statistics, parameters: choice.allocation.parameters))
            #expect(choice.storageCost <= 0.1 * choice.slotCost)
            let chosen = try #require(choice.storage.uniform)
            if let place = Self.formats.firstIndex(of: chosen) {
                for format in Self.formats[(place + 1)...] { #expect(costs.cost(of: format) > 0.1 * choice.slotCost) }
            }
            found.insert(chosen.name)
            // The slots are those of any other format.
            var fixed = request(.tokensPerCell(5))
            fixed.storage = .fixed(.int8)
            #expect(try self.choice(statistics, fixed).allocation.plan == plan)
        }
        #expect(found.count >= 3, "\(found)")
    }

    /// Masses of these statistics are even over positions, so a cell's share is that of the positions it keeps.
    @Test(arguments: [false, true]) func droppedPositionsStoreNothing(shared: Bool) throws {
        let statistics = try statistics(unit: 1), layout = statistics.layout
        var builder = PlanBuilder(statistics: statistics, form: .positions(summary: false))
        builder.sharesBranches = shared
        let plan = try builder.build(.total(slots: shared ? 30 : 60)).plan
        let weights = (0..<layout.layers).map { layer in
            (0..<layout.scaleCount).map { Float(1 + layer + 2 * $0) }
        }
        var expected = 0.0
        for cell in 0..<2 * layout.layers * layout.heads {
            let (branch, layer, head) = (cell % 2, cell / 2 % layout.layers, cell / 2 / layout.layers)
            for scale in 1..<layout.scaleCount {
                let slots = plan.capacities[shared ? 0 : branch, scale, layer, head]
                expected +=
                    Double(weights[layer][scale]) * Double(slots) / Double(layout.schedule.historyTokens(scale))
                    * statistics.storageError(.int8, branch: branch, layer: layer, head: head, scale: scale)
                    / (shared ? 2 : 1)
            }
        }
        let found = StorageCost(statistics: statistics, plan: plan, layerWeights: weights).cost(of: .int8)
        #expect(abs(found - expected) <= 1e-9 * expected, "\(found), expected \(expected)")
    }

    @Test func theChoiceIsRecordedAndMadeAgain() throws {
        let statistics = try statistics(unit: 1e-3 * unitOfCost())
        for budget in [BudgetRequest.bytes(10_000), .tokensPerCell(5)] {
            let profile = try compile(statistics: statistics, request: request(budget))
            #expect(profile.policy.parameters["storage"] == .string("auto"))
            let again = try compile(
                statistics: statistics,
                request: CompilationRequest(
                    policy: profile.policy, budget: profile.requestedBudget, selection: profile.selection,
                    storage: profile.storage, toolVersion: "test"))
            #expect(try again.canonicalText() == profile.canonicalText())
            #expect(try Profile(parsing: profile.canonicalText(), name: "p") == profile)
        }
        var named = request(.tokensPerCell(5))
        named.storage = .fixed(.int8)
        #expect(try compile(statistics: statistics, request: named).policy.parameters["storage"] == nil)
    }

    @Test func whatCannotBeChosenIsRefused() throws {
        func refused(_ statistics: CalibrationStatistics, _ request: CompilationRequest) -> String {
            let error = #expect(throws: VernierError.self) { try compile(statistics: statistics, request: request) }
            return error.map { "\($0)" } ?? ""
        }
        let without = refused(try PlanTests.statistics(), request(.tokensPerCell(5)))
        #expect(without.contains("expected storage errors"), "\(without)")
        #expect(without.contains("--sensitivity-prompts 2"), "\(without)")
        let statistics = try statistics(unit: 1)
        for other in [
            request(.tokensPerCell(5), policy: "uniform"), request(.tokensPerCell(5), selection: .attentionMass()),
            request(.tokensPerCell(5), selection: .spatial),
        ] {
            #expect(refused(statistics, other).contains("expected the policy 'rate-distortion' with pooling-plan"))
        }
        #expect(refused(statistics, request(.bytes(30))).contains("needs at least about"))
    }
}
