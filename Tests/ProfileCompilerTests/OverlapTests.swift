import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

@Suite struct OverlapTests {
    // MARK: - Adjusted Rand index

    @Test(
        arguments: [
            ([0, 0, 1, 1], [0, 0, 1, 1], 1), ([0, 0, 1, 1], [5, 5, 3, 3], 1), ([0, 0, 1, 1], [0, 1, 0, 1], -0.5),
            ([0, 0, 0], [1, 1, 1], 1), ([0, 1, 2], [7, 8, 9], 1), ([0, 0, 0], [0, 1, 2], 0), ([], [], 1), ([3], [4], 1),
            // By hand: 2 pairs in both, 4 in each, of 15.
            ([0, 0, 0, 1, 1, 2], [0, 0, 1, 2, 2, 2], (2 - 16.0 / 15) / (4 - 16.0 / 15)),
        ] as [([Int], [Int], Double)])
    func randIndexOfSmallCases(left: [Int], right: [Int], expected: Double) {
        #expect(abs(AdjustedRandIndex.value(left, right) - expected) < 1e-12)
        #expect(AdjustedRandIndex.value(right, left) == AdjustedRandIndex.value(left, right))
    }

    /// Unrelated groups agree by chance only: the index is 0 on average.
    @Test func randIndexOfUnrelatedGroupsIsNearZero() {
        var random = SplitMix64(seed: 4)
        let values = (0..<300).map { _ in
            AdjustedRandIndex.value(
                (0..<60).map { _ in Int(random.next() % 5) }, (0..<60).map { _ in Int(random.next() % 7) })
        }
        #expect(abs(values.reduce(0, +) / 300) < 0.01)
        #expect(values.contains { $0 < 0 } && values.contains { $0 > 0 })
    }

    // MARK: - Profiles

    private let schedule: ScaleSchedule
    private let model: ModelIdentity

    init() throws {
        let digest = String(repeating: "0", count: 64)
        schedule = try ScaleSchedule(
            grids: [1, 2, 3].map { ScaleSchedule.Grid(height: $0, width: $0) },
            ropeGrid: ScaleSchedule.Grid(height: 3, width: 3))
        model = try ModelIdentity(
            family: "infinity", name: "m", branches: 2, layers: 2, heads: 1, headWidth: 4, shapeDigest: digest,
            weightsDigest: digest)
    }

    private func capacities(_ rows: [[Int]]) -> CellCapacities {
        var table = CellCapacities(branchCount: 1, scaleCount: 3, layerCount: 2, headCount: 1)
        for (scale, row) in rows.enumerated() {
            for (layer, tokens) in row.enumerated() { table[0, scale, layer, 0] = tokens }
        }
        return table
    }

    private func profile(
        _ rows: [[Int]], plan: PoolingPlan? = nil, roles: [[LayerRole]] = [], model other: ModelIdentity? = nil
    ) throws -> Profile {
        let digest = String(repeating: "0", count: 64)
        return try Profile(
            model: other ?? model, schedule: schedule, policy: PolicyDescription(name: "by hand"),
            selection: plan == nil ? .attentionMass() : SelectionRule(name: "pooling-plan"), storage: .float32,
            requestedBudget: .tokensPerCell(5), capacities: capacities(rows), plan: plan, roles: roles,
            provenance: Provenance(
                toolVersion: "test", statisticsDigest: digest, corpusDigest: digest, promptCount: 1, seed: 0))
    }

    @Test func capacitiesOverlapByTheSmallerOverTheLarger() throws {
        let a = try profile([[0, 0], [1, 1], [5, 1]]), b = try profile([[0, 0], [1, 1], [2, 2]])
        let overlap = try ProfileOverlap(a, b)
        // Scale 1 is whole in both; two branches share one table: 2 (2 + 1) / 2 (5 + 2).
        #expect(overlap.capacityOverlap == 3.0 / 7)
        #expect(overlap.drafterJaccard == nil && overlap.groupAgreement == nil && !overlap.isSame)
        #expect(try ProfileOverlap(b, a) == overlap)
        let same = try ProfileOverlap(a, a)
        #expect(same.capacityOverlap == 1 && same.isSame)
        let whole = try profile([[0, 0], [1, 1], [5, 5]])
        #expect(try ProfileOverlap(whole, whole).capacityOverlap == 1, "nothing is evicted")
        let none = try profile([[0, 0], [0, 0], [0, 0]])
        #expect(try ProfileOverlap(none, none).capacityOverlap == 1)
        #expect(try ProfileOverlap(none, a).capacityOverlap == 0)
    }

    @Test func draftersOverlapByLayerAndScale() throws {
        let rows = [[0, 0], [1, 1], [2, 2]]
        func roles(_ last: [LayerRole], _ middle: [LayerRole] = [.refiner, .refiner]) -> [[LayerRole]] {
            [[.unassigned, .unassigned], middle, last]
        }
        let a = try profile(rows, roles: roles([.drafter, .refiner]))
        let b = try profile(rows, roles: roles([.drafter, .drafter], [.refiner, .drafter]))
        let none = try profile(rows, roles: roles([.refiner, .refiner]))
        #expect(try ProfileOverlap(a, b).drafterJaccard == 1.0 / 3)
        #expect(try ProfileOverlap(a, a).drafterJaccard == 1)
        #expect(try ProfileOverlap(a, none).drafterJaccard == 0)
        #expect(try ProfileOverlap(none, none).drafterJaccard == 1)
        #expect(try ProfileOverlap(a, profile(rows)).drafterJaccard == nil)
    }

    @Test func groupsAgreeByTheirPositions() throws {
        // Histories 0, 1, 5. The last boundary groups the old slot and four new tokens.
        func plan(_ first: [Int?], _ second: [Int?]) throws -> PoolingPlan {
            let maps = [first, second].map { BoundaryMap(labels: $0) }
            return try PoolingPlan(
                schedule: schedule, branchCount: 1, layerCount: 2, headCount: 1,
                maps: [BoundaryMap(keeping: 0), BoundaryMap(keeping: 0)]
                    + [BoundaryMap(keeping: 1), BoundaryMap(keeping: 1)] + maps)
        }
        let rows = [[0, 0], [1, 1], [2, 2]]
        let a = try profile(rows, plan: plan([0, 0, 0, 1, 1], [0, 0, 1, 1, 1]))
        let b = try profile(rows, plan: plan([0, 0, 0, 1, 1], [0, 1, 0, 1, 0]))
        let second = AdjustedRandIndex.value([0, 0, 1, 1, 1], [0, 1, 0, 1, 0])
        #expect(try ProfileOverlap(a, b).groupAgreement == (1 + second) / 2)
        #expect(try ProfileOverlap(a, a).groupAgreement == 1)
        #expect(try ProfileOverlap(a, profile(rows)).groupAgreement == nil)
        // What is dropped is a group of its own.
        let c = try profile(rows, plan: plan([0, 1, nil, nil, nil], [0, 0, 1, 1, 1]))
        let d = try profile(rows, plan: plan([nil, nil, 0, 0, 1], [0, 0, 1, 1, 1]))
        let dropped = AdjustedRandIndex.value([0, 1, 2, 2, 2], [0, 0, 1, 1, 2])
        #expect(try ProfileOverlap(c, d).groupAgreement == (dropped + 1) / 2)
    }

    @Test func modelsOfAnotherShapeAreRefused() throws {
        let digest = String(repeating: "1", count: 64)
        let wider = try ModelIdentity(
            family: "var", name: "w", branches: 1, layers: 2, heads: 1, headWidth: 8, shapeDigest: digest,
            weightsDigest: digest)
        let rows = [[0, 0], [1, 1], [2, 2]]
        let error = try #require(throws: VernierError.self) {
            try ProfileOverlap(profile(rows), profile(rows, model: wider))
        }
        #expect(error.code == .mismatch && error.description.contains("expected 2 branches, found 1"), "\(error)")
    }
}
