import ProfileFormat
import TestSupport
import Testing

@testable import KVCacheRuntime

/// What the rules of other methods keep, on hand-made candidates.
@Suite struct PeerRuleTests {
    /// A rule with parameters that reads mass alone, for properties.
    private static let massRules: [any SlotSelector] = [
        H2ORule(), SnapKVRule(window: 3), SnapKVRule(window: 16, pooling: .max(reach: 1)),
        HackRule(structuralHeads: HeadSet([[true]])), HackRule(structuralHeads: HeadSet([])),
        ObservationWindowRule(side: 2, pooling: .average(reach: 1)),
    ]
    private static let keyRules: [any SlotSelector] = [
        CakeRule(window: 3), CakeRule(), ScaleKVCompatRule(window: 4), ScaleKVCompatRule(),
        AttentionMatchingRule(), AttentionMatchingRule(score: .max, references: 2),
    ]

    @Test func h2oKeepsTheHeaviestAndTheNewest() throws {
        var candidates = try HandmadeCandidates()
        candidates.mass = (0..<14).map { $0 == 2 ? 9 : $0 == 7 ? 8 : 1 }
        #expect(candidates.kept(H2ORule(), 5) == [0, 2, 7, 12, 13], "2 newest, 3 heaviest, ties to the lowest")
        #expect(candidates.kept(H2ORule(), 1) == [2])
        #expect(H2ORule().accumulatesMass)
    }

    @Test func snapKVPoolsOutsideTheWindowAndKeepsIt() throws {
        var candidates = try HandmadeCandidates()
        candidates.mass = (0..<14).map { [3: 5.0, 4: 4.0, 9: 6.0][$0] ?? 0 }
        // Window 11 12 13; means over 3: at 3 and 4 (5 + 4) / 3, at 2 5 / 3, at 8 9 10 2, at 5 4 / 3.
        let average = SnapKVRule(window: 3, pooling: .average(reach: 1))
        #expect(candidates.kept(average, 7) == [3, 4, 8, 9, 11, 12, 13])
        #expect(candidates.kept(SnapKVRule(window: 3, pooling: .none), 6) == [3, 4, 9, 11, 12, 13])
        // Half of the capacity at most is the window's; the rest of it competes.
        #expect(candidates.kept(SnapKVRule(window: 9, pooling: .none), 4) == [3, 9, 12, 13])
        #expect(average.rowWeights(for: .init(height: 2, width: 3)) == [0, 0, 0, 1, 1, 1])
        #expect(average.rowWeights(for: .init(height: 1, width: 2)) == [1, 1])
    }

    @Test func observationWindowPoolsIfAsked() throws {
        var candidates = try HandmadeCandidates()
        candidates.mass = (0..<14).map { [2: 3.0, 4: 4.0, 10: 5.0][$0] ?? 0 }
        // A window of one, token 4 of the map: candidate 9. Means over 3 times 3: index 3 has 3 + 4.
        let pooled = ObservationWindowRule(side: 1, pooling: .average(reach: 1))
        #expect(candidates.kept(pooled, 2) == [3, 9])
        #expect(candidates.kept(ObservationWindowRule(side: 1), 2) == [9, 10])
    }

    @Test func cakeCountsTheVarianceOfTheWindow() throws {
        var candidates = try HandmadeCandidates(width: 2)
        // The last two queries: one looks at candidate 1, the other at candidate 2, and both a little less at 0.
        candidates.queries = (0..<9).flatMap { $0 == 7 ? [40, 0] : $0 == 8 ? [0, 40] : [0, 0] as [Float] }
        candidates.keys = (0..<14).flatMap { index -> [Float] in
            switch index {
            case 0: [0.99, 0.99]
            case 1: [1, 0]
            case 2: [0, 1]
            default: [-1, -1]
            }
        }
        // Means 0.4, 0.3, 0.3: without variance 0 wins; with it 1 and 2, whose attention changes from query to query.
        let probability = 1 / (1 + 1.4918246976412703)  // exp(0.4)
        let attention = candidates.whole { CandidateAttention($0, queries: [7, 8]) }
        #expect(abs(attention.probability(0, 0) - probability) < 1e-6)
        #expect(abs(attention.probability(1, 2) - (1 - probability)) < 1e-6)
        let steady = (0..<3).map { CakeRule(window: 2, gamma: 0).indicator(attention, of: $0) }
        let changing = (0..<3).map { CakeRule(window: 2, gamma: 200).indicator(attention, of: $0) }
        #expect(steady[0] > steady[1] && abs(steady[1] - steady[2]) < 1e-6)
        let variance = (1 - probability) * (1 - probability) / 2
        #expect(abs(changing[1] - (steady[1] + 200 * variance)) < 1e-4)
        #expect(changing[1] > changing[0])
        let single = candidates.whole { CandidateAttention($0, queries: [7]) }
        #expect(CakeRule(window: 2).indicator(single, of: 0) < 1)
    }

    @Test func hackKeepsByTheClassOfTheHead() throws {
        var candidates = try HandmadeCandidates()
        candidates.mass = (0..<14).map { Double($0 == 1 || $0 == 4 ? 5 : $0 == 10 ? 4 : $0 == 12 ? 3 : 1) }
        let heads = HeadSet([[true, false]])
        let rule = HackRule(structuralHeads: heads, initialScales: 1)
        candidates.head = 1
        #expect(candidates.kept(rule, 3) == [1, 4, 10])
        candidates.head = 0
        // Scale 0, the map 5 ... 13, and of the rest the heaviest.
        #expect(candidates.kept(rule, 12) == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
        // Too small for the map: its heaviest tokens, after the first scale.
        #expect(candidates.kept(rule, 3) == [0, 10, 12])
        // Two first scales of 5 tokens get half.
        #expect(candidates.kept(HackRule(structuralHeads: heads), 5) == [0, 1, 2, 10, 12])
        #expect(
            HackRule(structuralHeads: heads, observers: 3).rowWeights(for: .init(height: 1, width: 7))
                == [1, 0, 1, 0, 1, 0, 0])
        #expect(HackRule(structuralHeads: heads).rowWeights(for: .init(height: 1, width: 2)) == [1, 1])
    }

    @Test func poolingIsPyTorchs() {
        let scores: [Double] = [3, 15, 6, 0, 9]
        let means: [Double] = [6, 8, 7, 5, 3]
        let maxima: [Double] = [15, 15, 15, 9, 9]
        #expect(NeighbourPooling.average(reach: 1)(scores) == means)
        #expect(NeighbourPooling.max(reach: 1)(scores) == maxima)
        #expect(NeighbourPooling.max(reach: 9)(scores) == [Double](repeating: 15, count: 5))
        #expect(NeighbourPooling.none(scores) == scores)
        #expect(NeighbourPooling.max(reach: 1)([]).isEmpty)
        let broken = NeighbourPooling.average(reach: 1)([3, -.infinity, 3, 3])
        #expect(broken == [-.infinity, -.infinity, -.infinity, 2])
        #expect(NeighbourPooling(name: "median", reach: 2) == nil)
        #expect(NeighbourPooling(name: "max", reach: 2) == .max(reach: 2))
    }

    /// Records what scale 2 paid to its 5 history positions.
    private func tapeNextScale(_ tape: AttentionTape, mass: [Double], queryCount: Int) {
        mass.withUnsafeBufferPointer { mass in
            [Float(0)].withUnsafeBufferPointer { values in
                guard let base = values.baseAddress else { return }
                tape.observe(
                    AttentionRecord(
                        sequence: 1, layer: 0, head: 0, scale: 2, queryCount: queryCount, historyCount: 5,
                        columnMass: mass, topMass: UnsafeBufferPointer(start: nil, count: 0), entropy: 0,
                        queries: base, currentKeys: base, currentValues: base, probabilities: nil,
                        attentionSketch: nil, keySketch: nil))
            }
        }
    }

    /// The oracle reads its tape, and nothing else.
    @Test func oracleKeepsWhatTheNextScaleLooksAt() throws {
        let tape = AttentionTape()
        let mass = (0..<23).map { Double($0 == 3 ? 5 : $0 == 8 ? 4 : $0 == 20 ? 99 : 1) }
        mass.withUnsafeBufferPointer { mass in
            [0.0].withUnsafeBufferPointer { empty in
                [Float(0)].withUnsafeBufferPointer { values in
                    guard let base = values.baseAddress else { return }
                    tape.observe(
                        AttentionRecord(
                            sequence: 1, layer: 0, head: 0, scale: 3, queryCount: 9, historyCount: 14, columnMass: mass,
                            topMass: UnsafeBufferPointer(rebasing: empty[..<0]), entropy: 0, queries: base,
                            currentKeys: base, currentValues: base, probabilities: nil, attentionSketch: nil,
                            keySketch: nil))
                }
            }
        }
        #expect(tape.mass(sequence: 1, layer: 0, head: 0, scale: 3).count == 14)
        #expect(tape.mass(sequence: 0, layer: 0, head: 0, scale: 3) == [])
        var candidates = try HandmadeCandidates()
        candidates.sequence = 1
        candidates.norms = (0..<14).map { $0 == 8 ? 1 : $0 == 11 ? 9 : 2 }
        #expect(candidates.kept(OracleRule(tape: tape, valueNorm: false), 2) == [3, 8])
        #expect(candidates.kept(OracleRule(tape: tape), 2) == [3, 11])
        // Two scales ahead, each by its mean query: here there is one, and what lies beyond does not matter.
        #expect(candidates.kept(OracleRule(tape: tape, horizon: 64, valueNorm: false), 2) == [3, 8])
        candidates.scale = 1
        (candidates.historyCount, candidates.count) = (1, 5)
        tapeNextScale(tape, mass: [0, 9, 0, 8, 0], queryCount: 9)
        // Scale 2: 1, 8/9 for positions 1 and 3; scale 3: 5/16 for position 3, 1/16 for the others.
        #expect(candidates.kept(OracleRule(tape: tape, valueNorm: false), 1) == [1])
        #expect(candidates.kept(OracleRule(tape: tape, horizon: 2, valueNorm: false), 1) == [3])
        candidates = try HandmadeCandidates()
        tape.erase()
        #expect(candidates.kept(OracleRule(tape: tape), 2) == [0, 1], "without a tape all are alike")
    }

    /// Every capacity: that many, ascending, all different, the same again; windows stay once they fit.
    @Test func everyRuleKeepsWhatItIsAskedFor() throws {
        var random = SplitMix64(seed: 4)
        for round in 0..<8 {
            var candidates = try HandmadeCandidates(width: 4)
            candidates.mass = (0..<14).map { _ in Double(random.float(in: 0...1)) }
            candidates.queries = random.floats(9 * 4)
            candidates.rawQueries = random.floats(9 * 4)
            candidates.keys = random.floats(14 * 4)
            candidates.values = random.floats(14 * 4)
            candidates.biases = random.floats(5)
            for rule in Self.massRules + Self.keyRules {
                for count in 0...14 {
                    let kept = candidates.kept(rule, count)
                    let name = "\(type(of: rule).name), \(count) of 14, round \(round)"
                    #expect(kept.count == count && Set(kept).count == count, "\(name)")
                    #expect(kept == kept.sorted() && kept.allSatisfy { $0 >= 0 && $0 < 14 }, "\(name)")
                    #expect(candidates.kept(rule, count) == kept, "\(name)")
                }
            }
            #expect(candidates.kept(SnapKVRule(window: 3), 6).suffix(3) == [11, 12, 13])
            #expect(candidates.kept(CakeRule(window: 3), 6).suffix(3) == [11, 12, 13])
            #expect(Set(candidates.kept(ScaleKVCompatRule(window: 4), 5)).isSuperset(of: [5, 6, 8, 9]))
        }
    }
}
