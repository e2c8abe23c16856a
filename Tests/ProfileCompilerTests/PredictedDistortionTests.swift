import CalibrationStatistics
import Foundation
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

struct PredictedDistortionTests {
    private static func slot(_ members: [(position: Int, coefficient: Float)]) -> SlotMembers {
        SlotMembers(
            positions: members.map(\.position), keyCoefficients: members.map(\.coefficient),
            valueCoefficients: members.map(\.coefficient))
    }

    /// Two signs, three positions.
    private static func sketches(attention: [Float], keys: [Float] = [0, 0, 0, 0, 0, 0]) -> CellSketches {
        CellSketches(
            signs: 2, attention: attention, values: [1, 0, 4, 0, 0, 2], keys: keys, mass: [0.2, 0.1, 0.1])
    }

    // MARK: - One cell

    @Test func whatStaysCostsNothing() {
        let cell = Self.sketches(attention: [1, 2, 3, 4, 5, 6])
        let slots = (0..<3).map { Self.slot([($0, 1)]) }
        #expect(cell.squaredError(slots, keyWeight: 1) == 0)
    }

    @Test func positionsAttendedInProportionPoolForFree() {
        // Position 0 always gets twice what position 1 gets; the mean weighs them so.
        let cell = Self.sketches(attention: [2, 4, 1, 2, 7, 9])
        let slots = [Self.slot([(0, 2.0 / 3), (1, 1.0 / 3)]), Self.slot([(2, 1)])]
        #expect(abs(cell.squaredError(slots, keyWeight: 1)) < 1e-9)
    }

    @Test func valuesCountJointly() {
        // s = (1, 0), (0, 1), mean value 2.5: the outer products are (1, 0) x (-1.5, 0) and (0, 1) x (1.5, 0).
        let cell = Self.sketches(attention: [1, 0, 0, 1, 0, 0])
        let slots = [Self.slot([(0, 0.5), (1, 0.5)]), Self.slot([(2, 1)])]
        #expect(abs(cell.squaredError(slots, keyWeight: 0) - 4.5) < 1e-9)
        // Attended alike, the two errors cancel.
        let alike = Self.sketches(attention: [1, 0, 1, 0, 0, 0])
        #expect(abs(alike.squaredError(slots, keyWeight: 0)) < 1e-9)
    }

    @Test func droppedPositionsCostTheirDistanceFromTheMean() {
        // Mean value (0.2 (1, 0) + 0.1 (4, 0) + 0.1 (0, 2)) / 0.4 = (1.5, 0.5); position 1 is sqrt(6.25 + 0.25) away.
        let cell = Self.sketches(attention: [1, 0, 3, 4, 0, 1])
        let slots = [Self.slot([(0, 1)]), Self.slot([(2, 1)])]
        #expect(abs(cell.squaredError(slots, keyWeight: 1) - 25 * 6.5) < 1e-4)
    }

    @Test func keysCountBoundedly() {
        let slots = [Self.slot([(0, 0.5), (1, 0.5)]), Self.slot([(2, 1)])]
        func keyError(_ distance: Float) -> Double {
            let cell = Self.sketches(attention: [1, 0, 1, 0, 0, 0], keys: [0, 0, distance, 0, 0, 0])
            return cell.squaredError(slots, keyWeight: 0.25) - cell.squaredError(slots, keyWeight: 0)
        }
        // The slot's mean value (2.5, 0) is sqrt(1 + 0.25) from the mean (1.5, 0.5); it gets an attention of 2.
        let all = 0.25 * 4 * 1.25
        #expect(keyError(0) == 0)
        let spread = 0.25  // both keys lie half of 1 from their mean
        #expect(abs(keyError(1) - all * pow(1 - exp(-spread / 2), 2)) < 1e-5)
        #expect(keyError(1) < keyError(3) && abs(keyError(1000) - all) < 1e-5)
    }

    // MARK: - Profiles

    @Test func coefficientsMultiplyAlongBoundaries() throws {
        let profile = try PlanTests.profile(.tokensPerCell(3))
        let plan = try #require(profile.plan)
        let slots = SlotMembers.all(plan, branch: 0, layer: 1, head: 0, schedule: profile.schedule)
        for scale in PlanTests.sides.indices {
            let groups = plan.groups(branch: 0, scale: scale, layer: 1, head: 0, schedule: profile.schedule)
            #expect(slots[scale].map { $0.positions.sorted() } == groups)
            for slot in slots[scale] {
                #expect(abs(slot.valueCoefficients.reduce(0, +) - 1) < 0.01, "means of means are means")
                #expect(slot.keyCoefficients == slot.valueCoefficients)
            }
        }
    }

    @Test(arguments: PlanTests.selections.filter { $0 != .spatial })
    func fewerSlotsCostMore(selection: SelectionRule) throws {
        let statistics = try PlanTests.statistics()
        var before = -1.0
        for tokens in [30.0, 12, 4, 2] {
            let profile = try PlanTests.profile(
                .tokensPerCell(tokens), policy: "uniform", selection: selection, statistics: statistics)
            let predicted = try predictedDistortion(of: profile, statistics: statistics)
            #expect(predicted.total > before && predicted.total.isFinite)
            #expect((predicted.total == 0) == (tokens == 30))
            #expect(!predicted.isInNats, "nothing was disturbed")
            #expect(abs(predicted.total - predicted.byLayer.reduce(0, +)) <= 1e-9 * predicted.total)
            for (layer, cost) in predicted.byLayer.enumerated() {
                #expect(abs(predicted.byLayerAndHead[layer].reduce(0, +) - cost) <= 1e-9 * cost, "heads share it out")
            }
            #expect(predicted.byScaleAndLayer.count == 5 && predicted.byLayer.count == 3 && predicted.byScale[0] == 0)
            before = predicted.total
        }
    }

    @Test func sensitivitiesCountHalfInLogarithms() {
        let weights = LayerWeights.ofScale([1, 4, 100])
        #expect(weights == [2, 4, 20])
        #expect(LayerWeights.ofScale([0, 0]) == [0, 0])
        #expect(abs(LayerWeights.ofScale([0, 9, 9])[0] - (9e-3 * 9).squareRoot()) < 1e-12, "but none counts nothing")
        let roots = [8.0, 24].map { $0.squareRoot() }
        #expect(LayerWeights.ofScale([2, 6]) == roots)
    }

    @Test func whatCannotBePredictedIsSaid() throws {
        let statistics = try PlanTests.statistics()
        let scored = try PlanTests.profile(.tokensPerCell(6), selection: .attentionMass(), statistics: statistics)
        let planned = try PlanTests.profile(.tokensPerCell(6), statistics: statistics)
        let bare = try SyntheticStatistics.random(layers: 3, heads: 2, sides: PlanTests.sides, seed: 4, signs: 0)
        let other = try SyntheticStatistics.random(layers: 4, heads: 2, sides: PlanTests.sides, seed: 4, signs: 8)
        for (profile, statistics, code) in [
            (scored, statistics, VernierError.Code.invalidArgument), (planned, bare, .corruptState),
            (planned, other, .mismatch),
        ] {
            let error = #expect(throws: VernierError.self) {
                try predictedDistortion(of: profile, statistics: statistics)
            }
            #expect(error?.code == code)
        }
    }

    // MARK: - Random profiles

    @Test func randomProfilesDifferAndMeetTheirBudget() throws {
        let statistics = try PlanTests.statistics()
        func draw(_ seed: UInt64, _ number: Int) throws -> Profile {
            try randomProfile(
                statistics: statistics, budget: .keptShare(0.2), octaves: 3, seed: seed, draw: number,
                toolVersion: "test")
        }
        let profiles = try (0..<4).map { try draw(7, $0) }
        #expect(try draw(7, 2) == profiles[2])
        #expect(try draw(8, 2).capacities != profiles[2].capacities)
        #expect(Set(profiles.map(\.capacities)).count == 4)
        for profile in profiles { #expect(profile.realisedBudget.lastScaleSlots == 2 * 36) }
        let bytes = #expect(throws: VernierError.self) {
            try randomProfile(
                statistics: statistics, budget: .bytes(9000), octaves: 3, seed: 0, draw: 0, toolVersion: "test")
        }
        #expect(bytes?.code == .invalidArgument)
    }
}
