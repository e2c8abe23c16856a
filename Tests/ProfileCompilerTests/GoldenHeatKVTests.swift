import CalibrationStatistics
import Checkpoints
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// HeatKV's published orders and the schedules that its code makes of them, to the block.
@Suite struct GoldenHeatKVTests {
    private static func schedule(_ config: JSONCursor) throws -> ScaleSchedule {
        try ScaleSchedule(
            grids: config.member("scales").elements().map {
                let sides = try $0.integers()
                return .init(height: sides[0], width: sides[1])
            }, ropeGrid: .init(height: 64, width: 64))
    }

    /// (head, layer) pairs to `layer * heads + head`.
    private static func orders(_ pairs: [Int], heads: Int, each count: Int) -> [[Int]] {
        stride(from: 0, to: pairs.count, by: 2 * count).map { first in
            (0..<count).map { pairs[first + 2 * $0 + 1] * heads + pairs[first + 2 * $0] }
        }
    }

    @Test func publishedOrdersGiveThePublishedSchedules() throws {
        let golden = try Golden.open("heatkv-schedule-2b"), config = try golden.config
        let layers = try config.member("layers").integer(), heads = try config.member("heads").integer()
        let sinkScales = try config.member("sink_scales").integer(), cells = layers * heads
        let schedule = try Self.schedule(config), scales = schedule.scaleCount
        let orders = Self.orders(try golden.int32("orders").map(Int.init), heads: heads, each: cells)
        func make(_ budget: Double, isStrict: Bool) throws -> HeatKVSchedule {
            try HeatKVSchedule(
                schedule: schedule, layers: layers, heads: heads, sinkScales: sinkScales, orders: orders,
                slots: BudgetRequest.keptShare(budget).slots(schedule: schedule, cells: cells) ?? 0,
                isStrict: isStrict)
        }
        for row in try config.member("budgets").elements() {
            let budget = try row.member("budget").number(), index = try row.member("index").integer()
            let plain = try make(budget, isStrict: false), strict = try make(budget, isStrict: true)
            let counts = try golden.int32("prune_counts.\(index)").map(Int.init)
            expectSame(plain.pruneCounts, counts, what: "\(budget): counts")
            #expect(strict.pruneCounts == counts)
            for (source, order) in orders.enumerated() {
                for (rank, slot) in order.enumerated() {
                    let first = (sinkScales + source + 1..<scales).first { rank < counts[$0] } ?? scales
                    #expect(plain.absentFrom[sinkScales + source][slot] == first)
                }
            }
            expectSame(
                strict.absentFrom[sinkScales..<scales - 1].flatMap { $0.map(UInt8.init) },
                try golden.uint8("absent_from.\(index)"), what: "\(budget): absent from")
            expectSame(
                strict.earlyDrops.flatMap { [$0.scale, $0.afterLayer, $0.source, $0.head, $0.layer] },
                try golden.int32("early.\(index)").map(Int.init), what: "\(budget): early")
            let running = (0..<scales).map { scale in
                (0..<scale).reduce(0) { $0 + strict.absentFrom[$1].count { $0 <= scale } }
            }
            expectSame(
                running, try golden.int32("running_counts.\(index)").map(Int.init), what: "\(budget): running")
            let final = (0..<scales).map { scale in
                let next = min(scale + 1, scales - 1)
                return (0..<next).reduce(0) { $0 + plain.absentFrom[$1].count { $0 <= next } }
            }
            expectSame(final, try golden.int32("final_counts.\(index)").map(Int.init), what: "\(budget): final")
        }
        for row in try config.member("infeasible").elements() {
            let error = try #require(throws: VernierError.self) {
                try make(try row.member("budget").number(), isStrict: true)
            }
            #expect(error.code == .infeasibleBudget)
        }
    }

    /// The schedules under which the released code ran the model of `inf-a`.
    @Test func schedulesOfTheGoldenRun() throws {
        let golden = try Golden.open("heatkv-run-a"), config = try golden.config
        let sinkScales = try config.member("sink_scales").integer()
        let schedule = try SyntheticStatistics.schedule([1, 2, 4, 6, 8, 12, 16])
        #expect(schedule.finalHistoryTokens == (try config.member("peak_tokens").integer()))
        let orders = Self.orders(try golden.int32("orders").map(Int.init), heads: 4, each: 16)
        for row in try config.member("budgets").elements() {
            let index = try row.member("index").integer()
            let budget = BudgetRequest.keptShare(try row.member("budget").number())
            let strict = try HeatKVSchedule(
                schedule: schedule, layers: 4, heads: 4, sinkScales: sinkScales, orders: orders,
                slots: budget.slots(schedule: schedule, cells: 16) ?? 0, isStrict: true)
            expectSame(
                strict.pruneCounts, try golden.int32("prune_counts.\(index)").map(Int.init), what: "\(budget): counts")
            let absent = (0..<7).flatMap { target in
                (sinkScales..<6).flatMap { source in
                    (0..<16).map { target > source && strict.absentFrom[source][$0] <= target ? UInt8(1) : 0 }
                }
            }
            expectSame(absent, try golden.uint8("removed.\(index)"), what: "\(budget): absent")
        }
    }

    @Test func attentionGivesTheReleasedOrders() throws {
        let golden = try Golden.open("heatkv-scas-a"), config = try golden.config
        let layers = try config.member("layers").integer(), heads = try config.member("heads").integer()
        let sinkScales = try config.member("sink_scales").integer(), prompts = try config.member("prompts").integer()
        let schedule = try Self.schedule(config)
        var mean: [[[Double]]] = []  // [prompt * layers + layer][scale] -> [branch, head, history]
        for prompt in 0..<prompts {
            for layer in 0..<layers {
                mean.append(
                    try (0..<schedule.scaleCount).map { scale in
                        let history = schedule.historyTokens(scale)
                        guard scale > sinkScales else { return [Double](repeating: 0, count: 2 * heads * history) }
                        let keys = schedule.historyTokens(scale + 1), queries = schedule.tokenCount(scale)
                        let values = try golden.float32("probs.\(prompt).\(layer).\(scale)")
                        return (0..<2 * heads).flatMap { row in
                            (0..<history).map { key in
                                (0..<queries).reduce(0.0) {
                                    $0 + Double(values[(row * queries + $1) * keys + key])
                                } / Double(queries)
                            }
                        }
                    })
            }
        }
        // The mean over prompts as one prompt.
        let statistics = try SyntheticStatistics.positions(layers: layers, heads: heads, schedule: schedule) {
            branch, layer, head, scale in
            let history = schedule.historyTokens(scale), first = (branch * heads + head) * history
            return (first..<first + history).map { index in
                (0..<prompts).reduce(0.0) { $0 + mean[$1 * layers + layer][scale][index] } / Double(prompts)
            }
        }
        let expected = Self.orders(try golden.int32("orders").map(Int.init), heads: heads, each: layers * heads)
        for (place, order) in expected.enumerated() {
            expectSame(
                HeatKVPolicy.order(statistics, source: sinkScales + place), order,
                what: "source scale \(sinkScales + place)")
        }
    }
}
