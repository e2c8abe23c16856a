import TestSupport
import Testing

@testable import ProfileFormat

@Suite struct ResidentPlanTests {
    /// The ledger as method.md states it, summed cell by cell.
    private func slots(_ table: CellCapacities, branches: Int, scale: Int, layer: Int) -> Int {
        var sum = 0
        for branch in 0..<branches {
            for other in 0..<table.layerCount {
                let held = other <= layer && scale < table.scaleCount - 1 ? scale + 1 : scale
                for head in 0..<table.headCount { sum += table[branch, held, other, head] }
            }
        }
        return sum
    }

    @Test func agreesWithTheDefinition() throws {
        var random = SplitMix64(seed: 7)
        try withEvery("round", in: 0..<50) { _ in
            let branches = random.integer(in: 1..<4)
            let scaleCount = random.integer(in: 1..<6)
            let schedule = try Examples.schedule((1...scaleCount).map { $0 })
            var table = CellCapacities(
                branchCount: Bool.random(using: &random) ? 1 : branches, scaleCount: scaleCount,
                layerCount: random.integer(in: 1..<5), headCount: random.integer(in: 1..<4))
            for branch in 0..<table.branchCount {
                for scale in 1..<max(scaleCount, 1) {
                    for layer in 0..<table.layerCount {
                        for head in 0..<table.headCount {
                            table[branch, scale, layer, head] = random.integer(
                                in: 0..<schedule.historyTokens(scale) + 1)
                        }
                    }
                }
            }
            let plan = ResidentPlan(
                capacities: table, schedule: schedule, storage: .float32, headWidth: 16, branches: branches)
            var most = 0
            for scale in 0..<scaleCount {
                for layer in 0..<table.layerCount {
                    let expected = slots(table, branches: branches, scale: scale, layer: layer)
                    #expect(plan.slots(scale: scale, layer: layer) == expected)
                    if expected > most {
                        most = expected
                        #expect(scale != plan.peakScale || layer <= plan.peakLayer)
                    }
                }
                #expect(
                    plan.slotsByScale[scale]
                        == (0..<branches).reduce(0) { $0 + table.totalTokens(scale: scale, branch: $1) })
            }
            #expect(plan.residentSlots == most)
            #expect(plan.residentBytes() == most * 128)
            #expect(plan.residentBytes(batch: 3) == 3 * most * 128)
        }
    }

    @Test func fullCapacitiesAreTheFullCache() throws {
        let schedule = try Examples.schedule([1, 2, 3, 4])
        let table = CellCapacities.full(schedule: schedule, layers: 3, heads: 2)
        let plan = ResidentPlan(capacities: table, schedule: schedule, storage: .float32, headWidth: 16, branches: 2)
        #expect(plan.residentSlots == 14 * 3 * 2 * 2)
        #expect(plan.residentBytes() == plan.fullCacheBytes())
        #expect((plan.peakScale, plan.peakLayer) == (2, 2))
    }

    @Test func aPeakBetweenTwoScalesCounts() throws {
        // Layer 0 grows before layer 1 shrinks: 10 slots before, 14 after, but 19 in between.
        let schedule = try Examples.schedule([1, 2, 3, 1])
        var table = CellCapacities(branchCount: 1, scaleCount: 4, layerCount: 2, headCount: 1)
        for (scale, row) in [[0, 0], [1, 1], [5, 5], [14, 0]].enumerated() {
            for (layer, tokens) in row.enumerated() { table[0, scale, layer, 0] = tokens }
        }
        let plan = ResidentPlan(capacities: table, schedule: schedule, storage: .float32, headWidth: 4, branches: 1)
        #expect(plan.slotsByScale == [0, 2, 10, 14])
        #expect(plan.residentSlots == 19)
        #expect(
            plan.formula
                == "max over steps (scale k, layer l) of [sum of capacities at k + 1 over layers <= l + sum of "
                + "capacities at k over layers > l], 1 branch, all heads, the last scale not stored: 19 slots at scale "
                + "2, layer 0; x 32 bytes per slot (key and value, float32, 4 channels) = 608 bytes")
    }

    @Test func aSingleScaleNeedsNoCache() throws {
        let schedule = try Examples.schedule([5])
        let table = CellCapacities.full(schedule: schedule, layers: 2, heads: 2)
        let plan = ResidentPlan(capacities: table, schedule: schedule, storage: .float32, headWidth: 4, branches: 2)
        #expect(plan.residentBytes() == 0)
        #expect(plan.fullCacheBytes() == 0)
    }
}
