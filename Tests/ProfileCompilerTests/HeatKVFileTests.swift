import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// HeatKV order files: what is read, and what is refused.
@Suite struct HeatKVFileTests {
    /// 2 layers of 2 heads, scales 1 2 3 4: histories 0 1 5 14.
    private static func importing(
        _ text: String, budget: BudgetRequest = .keptShare(0.5), isStrict: Bool = true, selection: SelectionRule? = nil
    ) throws -> Profile {
        let folder = TemporaryDirectory()
        try AtomicFile.write(text, to: folder.file("orders.json"))
        let model = try ModelIdentity(
            family: "infinity", name: "m", branches: 2, layers: 2, heads: 2, headWidth: 16,
            shapeDigest: SyntheticStatistics.digest, weightsDigest: nil)
        return try importHeatKVOrders(
            contentsOf: folder.file("orders.json"), budget: budget, isStrict: isStrict,
            target: ImportTarget(
                model: model, schedule: SyntheticStatistics.schedule([1, 2, 3, 4]), selection: selection,
                toolVersion: "test")
        ).profile
    }

    private static let row = "[[0, 1], [1, 0], [0, 0], [1, 1]]"
    private static let other = "[[1, 1], [0, 0], [1, 0], [0, 1]]"

    @Test func theLeastImportantHeadsLoseTheBlock() throws {
        // Sources 1 and 2 (4 and 9 tokens) may fall. 7 tokens a cell: 28 of 56 slots.
        let profile = try Self.importing("[\(Self.other), \(Self.row)]", isStrict: false)
        #expect(profile.policy.parameters == ["activation": "boundary", "sinkScales": 1])
        // At the last scale ceil((4 * 14 - 28) / 13) = 3 heads lack each source: 1 token stays, or all.
        func kept(_ layer: Int, _ head: Int) -> Int { profile.capacities[0, 3, layer, head] }
        #expect(kept(0, 0) == 1 && kept(0, 1) == 1)
        // Head 1 of layer 1 is the last of the second order, head 0 of layer 1 the last of the first.
        #expect(kept(1, 1) == 1 + 9 && kept(1, 0) == 1 + 4)
        let strict = try Self.importing("[\(Self.other), \(Self.row)]")
        #expect(strict.policy.parameters["activation"] == "strict")
        #expect(strict.residentPlan.residentSlots <= profile.residentPlan.residentSlots)
    }

    @Test func theWrittenFormWithMetadataIsTheSame() throws {
        let plain = try Self.importing("[\(Self.row)]")
        let written = try Self.importing("{\"metadata\": {\"prompts\": 10}, \"orders\": [\(Self.row)]}")
        #expect(plain.plan == written.plan && plain.policy == written.policy)
        #expect(plain.policy.parameters.integer("sinkScales") == 2)
        #expect(try Self.importing("[\(Self.row)]", selection: .scaleBlocks) == plain)
    }

    @Test(arguments: [
        ("[]", "orders.json: expected the orders of 1 to 3 source scales, found 0"),
        ("[\(row), \(row), \(row), \(row)]", "expected the orders of 1 to 3 source scales, found 4"),
        ("[[[0, 1], [1, 0], [0, 0]]]", "[0]: expected an array of 4 [head, layer] pairs, 2 layers of 2 heads"),
        ("[[[0, 1], [1, 0], [0, 0], [0, 0]]]", "[0][3]: expected every head once, found one a second time"),
        ("[[[0, 1], [1, 0], [0, 0], [2, 0]]]", "[0][3][0]: expected a whole number from 0 to 1, found 2"),
        ("[[[0, 1], [1, 0], [0, 0], [1, -1]]]", "[0][3][1]: expected a whole number from 0 to 1"),
        ("[[[0, 1], [1, 0], [0, 0], [1]]]", "[0][3]: expected an array of 2"),
        ("[[[0, 1], [1, 0], [0, 0], 3]]", "[0][3]: expected an array of 2, found 3"),
        ("{\"orders\": 3}", "orders: expected an array, found 3"),
        ("{\"order\": []}", "only the members metadata, orders"),
        ("3", "expected an array, found 3"),
        ("[[", "orders.json, line 1"),
    ])
    func damagedFilesAreRefused(_ text: String, _ message: String) throws {
        let error = try #require(throws: VernierError.self) { try Self.importing(text) }
        #expect(error.code == .malformedFile && error.description.contains(message), "\(error)")
    }

    @Test func budgetsThatCannotBeMetAreRefused() throws {
        let text = "[\(Self.row)]"
        let sinks = try #require(throws: VernierError.self) { try Self.importing(text, budget: .keptShare(0.3)) }
        #expect(sinks.code == .infeasibleBudget && sinks.description.contains("the 2 sink scales"))
        for budget in [BudgetRequest.bytes(1000), .keptShare(0), .keptShare(.nan), .keptShare(1.5)] {
            let error = try #require(throws: VernierError.self) { try Self.importing(text, budget: budget) }
            #expect(error.code == .invalidArgument)
        }
        let rule = try #require(throws: VernierError.self) { try Self.importing(text, selection: .attentionMass()) }
        #expect(rule.description.contains("expected scale-blocks"))
        let whole = try Self.importing(text, budget: .keptShare(1))
        #expect(whole.realisedBudget.keptShare == 1)
    }
}
