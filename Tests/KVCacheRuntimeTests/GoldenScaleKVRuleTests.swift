import Checkpoints
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import KVCacheRuntime

/// ScaleKV's released selection, token by token.
@Suite struct GoldenScaleKVRuleTests {
    private static let releasedSides = [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64]

    private static func schedule() throws -> ScaleSchedule {
        try ScaleSchedule(
            grids: releasedSides.map { .init(height: $0, width: $0) }, ropeGrid: .init(height: 64, width: 64))
    }

    @Test func singleCalls() throws {
        let golden = try Golden.open("scalekv-calls-a")
        for call in try golden.config.member("calls").elements() {
            let index = try call.member("index").integer(), budget = try call.member("budget").integer()
            let length = try call.member("key_len").integer(), queries = try call.member("query_len").integer()
            // Calls 7 and 8 evict nothing: in the cache no rule is asked then.
            guard try call.member("kept").integer() < length else { continue }
            let pooling = try call.member("pooling").string() == "avgpool" ? "average" : "max"
            let reach = try call.member("kernel").integer() / 2
            let rule = ScaleKVCompatRule(
                window: try call.member("window").integer(),
                pooling: try #require(NeighbourPooling(name: pooling, reach: reach)), usesReleasedSizes: true)
            let keys = try golden.float32("call.\(index).key"), query = try golden.float32("call.\(index).query")
            let kept = try golden.int32("call.\(index).kept"), window = try golden.int32("call.\(index).window")
            let hasScores = golden.tensorNames.contains("call.\(index).scores")
            let rows = kept.count / budget, width = keys.count / rows / length
            var candidates = try HandmadeCandidates(width: width)
            candidates.schedule = try Self.schedule()
            candidates.scale = try call.member("scale_index").integer()
            (candidates.historyCount, candidates.count) = (length - queries, length)
            for row in 0..<rows {
                candidates.keys = Array(keys[row * length * width..<(row + 1) * length * width])
                candidates.rawQueries = Array(query[row * queries * width..<(row + 1) * queries * width])
                #expect(candidates.whole { rule.observers(of: $0) } == window.map(Int.init), "call \(index)")
                let chosen = candidates.kept(rule, budget)
                let expected = Array(kept[row * budget..<(row + 1) * budget])
                if try call.member("boundary_tie").bool() {
                    // The released choice among equal scores is the library's: compare the scores that stay.
                    let pooled = candidates.whole { rule.pooledScores($0, observers: rule.observers(of: $0)) }
                    func rest(_ kept: [Int32]) -> [Double] {
                        kept.filter { !window.contains($0) }.map { pooled[Int($0)] }.sorted()
                    }
                    #expect(rest(chosen) == rest(expected), "call \(index), row \(row)")
                } else {
                    expectSame(chosen, expected, what: "call \(index), row \(row)")
                }
                if hasScores {
                    // The window's are -infinity, which a reader of weights would refuse.
                    let all = try golden.view("call.\(index).scores").withBytes { bytes in
                        (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
                    }
                    let pooled = candidates.whole { rule.pooledScores($0, observers: rule.observers(of: $0)) }
                    for place in 0..<length where !window.contains(Int32(place)) {
                        let expected = Double(all[row * length + place])
                        #expect(pooled[place] == expected || abs(pooled[place] - expected) < 1e-4, "call \(index)")
                    }
                }
            }
        }
    }

    /// All 13 scales through the published 2B budgets, one drafter and one refiner.
    @Test func aWholeGeneration() throws {
        let golden = try Golden.open("scalekv-seq-a"), schedule = try Self.schedule()
        let budgets = try golden.config.member("budget_rows")
        for (place, layer) in [0, 5].enumerated() {
            let keys = try golden.float32("key.\(layer)"), queries = try golden.float32("query.\(layer)")
            var held: [Int] = []
            for scale in 0..<12 {
                let first = schedule.historyTokens(scale), tokens = schedule.tokenCount(scale)
                let all = held + (first..<first + tokens)
                let row = scale + 2
                let capacity = row < 9 ? all.count : try budgets.member("\(row)").integers()[place]
                if capacity < all.count {
                    var candidates = try HandmadeCandidates(width: 2)
                    candidates.schedule = schedule
                    candidates.scale = scale
                    (candidates.historyCount, candidates.count) = (held.count, all.count)
                    candidates.keys = all.flatMap { keys[2 * $0..<2 * $0 + 2] }
                    candidates.rawQueries = Array(queries[2 * first..<2 * (first + tokens)])
                    held = candidates.kept(ScaleKVCompatRule(), capacity).map { all[Int($0)] }
                } else {
                    held = all
                }
                if golden.tensorNames.contains("kept.\(layer).\(scale)") {
                    expectSame(
                        held, try golden.int32("kept.\(layer).\(scale)").map(Int.init),
                        what: "layer \(layer), scale \(scale)")
                } else {
                    #expect(held.count == schedule.historyTokens(scale + 1), "layer \(layer), scale \(scale)")
                }
            }
        }
    }

    @Test func aCapacityBelowTheWindowKeepsItsFirst() throws {
        var candidates = try HandmadeCandidates(width: 2)
        candidates.keys = [Float](repeating: 1, count: 28)
        candidates.rawQueries = [Float](repeating: 1, count: 18)
        #expect(candidates.kept(ScaleKVCompatRule(window: 4), 3) == [5, 6, 8])
        #expect(candidates.kept(ScaleKVCompatRule(window: 4), 4) == [5, 6, 8, 9])
        // All scores alike: ties to the lowest index.
        #expect(candidates.kept(ScaleKVCompatRule(window: 4), 6) == [0, 1, 5, 6, 8, 9])
        // A map of 3 x 3 is too small for a grid of 4 x 4: the last 16 tokens, here all.
        #expect(candidates.kept(ScaleKVCompatRule(), 3) == [0, 1, 2])
    }
}
