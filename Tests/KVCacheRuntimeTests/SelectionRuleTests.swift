@testable import KVCacheRuntime
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// What each rule keeps, on hand-made candidates.
@Suite struct SelectionRuleTests {
    /// Scale 2 (3 x 3) of the schedule 1 2 3 4, after scales 0 and 1 (5 history slots).
    private func kept(_ rule: any SlotSelector, _ count: Int, mass: [Double]? = nil, norms: [Float]? = nil) throws
        -> [Int32]
    {
        let schedule = try ScaleSchedule(
            grids: [1, 2, 3, 4].map { .init(height: $0, width: $0) }, ropeGrid: .init(height: 4, width: 4))
        let positions = (0..<14).map { Int32($0) }
        let result = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
        defer { result.deallocate() }
        positions.withUnsafeBufferPointer { positions in
            (mass ?? []).withUnsafeBufferPointer { mass in
                (norms ?? []).withUnsafeBufferPointer { norms in
                    rule.select(
                        SlotCandidates(
                            scale: 2, branch: 0, layer: 0, head: 0, historyCount: 5, positions: positions,
                            mass: mass.isEmpty ? nil : mass.baseAddress,
                            valueNorms: norms.isEmpty ? nil : norms.baseAddress, schedule: schedule), into: result)
                }
            }
        }
        return Array(result)
    }

    @Test func slidingWindowKeepsTheNewest() throws {
        #expect(try kept(SlidingWindowRule(), 4) == [10, 11, 12, 13])
    }

    @Test func sinkRecentKeepsFirstScalesAndTheNewest() throws {
        #expect(try kept(SinkRecentRule(sinkScales: 1), 5) == [0, 10, 11, 12, 13])
        #expect(try kept(SinkRecentRule(sinkScales: 2), 8) == [0, 1, 2, 3, 10, 11, 12, 13], "sinks take at most half")
    }

    @Test func attentionMassKeepsTheHeaviestWithTiesToTheLowestIndex() throws {
        var mass = [Double](repeating: 1, count: 14)
        mass[9] = 5
        #expect(try kept(AttentionMassRule(), 3, mass: mass) == [0, 1, 9])
        var norms = [Float](repeating: 1, count: 14)
        norms[13] = 7
        #expect(try kept(AttentionMassRule(valueNorm: true), 2, mass: mass, norms: norms) == [9, 13])
    }

    @Test func observationWindowKeepsItsObserversFirst() throws {
        // A 3 x 3 map under a 2 x 2 window: rows and columns 0 ..< 1 and 1 ..< 3 have centroids 0 and 1.
        let rule = ObservationWindowRule(side: 2)
        #expect(rule.observers(of: .init(height: 3, width: 3)) == [0, 1, 3, 4])
        #expect(rule.observers(of: .init(height: 1, width: 1)) == [0])
        var mass = [Double](repeating: 0, count: 14)
        mass[2] = 3
        #expect(try kept(rule, 5, mass: mass) == [2, 5, 6, 8, 9])
        #expect(try kept(rule, 2, mass: mass) == [5, 6], "a capacity below the window keeps the first observers")
    }

    @Test func sixteenObserversOnALargeMap() {
        let observers = ObservationWindowRule().observers(of: .init(height: 12, width: 12))
        #expect(observers.count == 16 && observers.prefix(4) == [13, 16, 19, 22])
    }

    @Test func randomIsAFunctionOfTheSeedAndNested() throws {
        let six = try kept(RandomRule(seed: 1), 6), three = try kept(RandomRule(seed: 1), 3)
        #expect(try kept(RandomRule(seed: 1), 6) == six)
        #expect(Set(three).isSubset(of: Set(six)))
        #expect(try (2..<12).contains { try kept(RandomRule(seed: UInt64($0)), 6) != six })
    }

    @Test func everyNamedRuleIsCarriedOut() throws {
        for name in SelectionRule.knownNames {
            let rule = try SelectionRule(name: name)
            if rule.isPlanned {
                // The choice is in the profile's plan.
                #expect(throws: VernierError.self) { try SelectorRegistry.selector(for: rule) }
            } else {
                #expect(try type(of: SelectorRegistry.selector(for: rule, tape: AttentionTape())).name == name)
            }
        }
        #expect(throws: VernierError.self) { try SelectorRegistry.selector(for: .oracle) }
    }
}
