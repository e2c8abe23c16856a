import ProfileFormat
import VernierCore

/// Which source scales each head still holds at each scale: HeatKV's pruning schedule (arXiv 2605.14877,
/// arm-research/heatkv: tools/utils.py).
///
/// A *block* is what one head of one layer keeps of one source scale; the first `sinkScales` scales are never pruned.
/// With N heads in all layers and T slots, the first `ceil((N H_t - T) / (H_t - S))` heads of every prunable source
/// scale's order lack it when scale t begins (S: tokens of the sink scales). A `strict` schedule keeps the total within
/// T while a scale runs, too: layer by layer, after each write, it drops blocks of later layers early, of those that
/// fall after this scale anyway: last layer first, then the later source scale, then the order.
///
/// Deviation: counts are worked out in whole numbers of slots, so that they do not depend on rounding; the published
/// schedules come out.
struct HeatKVSchedule: Sendable, Hashable {
    /// One block that a strict schedule drops before its layer has run.
    struct EarlyDrop: Sendable, Hashable {
        /// The scale that runs, and the layer after whose write the total was too large.
        let scale: Int
        let afterLayer: Int
        let source: Int
        let layer: Int
        let head: Int
    }

    private let schedule: ScaleSchedule
    private let layers: Int
    private let heads: Int
    /// Scales that are never pruned.
    let sinkScales: Int
    /// How many heads lack each prunable source scale when scale t begins, K numbers.
    let pruneCounts: [Int]
    /// What a strict schedule drops early, in this order.
    private(set) var earlyDrops: [EarlyDrop]
    /// The first scale during which a block is absent, `[source][layer * heads + head]`; K: never.
    private(set) var absentFrom: [[Int]]

    /// Works the schedule out.
    ///
    /// - Parameter orders: for each prunable source scale, `sinkScales ..< K-1`, all heads as `layer * heads + head`,
    ///   the
    ///   least important first.
    ///
    /// Throws ``VernierError/Code/infeasibleBudget`` if the sink scales alone need more than T slots.
    init(
        schedule: ScaleSchedule, layers: Int, heads: Int, sinkScales: Int, orders: [[Int]], slots: Int,
        isStrict: Bool
    ) throws {
        self.schedule = schedule
        self.layers = layers
        self.heads = heads
        self.sinkScales = sinkScales
        let count = layers * heads, scales = schedule.scaleCount
        let sinkTokens = schedule.historyTokens(sinkScales)
        guard sinkTokens * count <= slots else {
            throw VernierError(
                .infeasibleBudget, at: "policy 'heatkv'",
                expected: "at least \(sinkTokens) tokens per cell, the \(sinkScales) sink scales",
                found: "\(Double(slots) / Double(count))", remedy: "Ask for a larger budget, or set fewer sinkScales.")
        }
        pruneCounts = (0..<scales).map { scale in
            let history = schedule.historyTokens(scale), excess = count * history - slots
            guard excess > 0 else { return 0 }
            let prunable = history - sinkTokens
            return min(count, (excess + prunable - 1) / prunable)
        }
        var absentFrom = [[Int]](repeating: [Int](repeating: scales, count: count), count: scales)
        for source in sinkScales..<(scales - 1) {
            for scale in stride(from: scales - 1, to: source, by: -1) {
                for slot in orders[source - sinkScales].prefix(pruneCounts[scale]) { absentFrom[source][slot] = scale }
            }
        }
        self.absentFrom = absentFrom
        earlyDrops = []
        guard isStrict else { return }
        earlyDrops = strictDrops(orders: orders, slots: slots)
        for drop in earlyDrops { self.absentFrom[drop.source][drop.layer * heads + drop.head] = drop.scale }
    }

    /// What must fall early so that the total stays within `slots` after every write of every scale but the last.
    ///
    /// There is always enough: once all that falls after this scale has fallen, less is left than when the next begins.
    private func strictDrops(orders: [[Int]], slots: Int) -> [EarlyDrop] {
        let scales = schedule.scaleCount
        var drops: [EarlyDrop] = []
        for scale in sinkScales..<max(sinkScales, scales - 1) {
            var total = schedule.historyTokens(sinkScales) * layers * heads
            for source in sinkScales..<scale {
                total += schedule.tokenCount(source) * absentFrom[source].count { $0 > scale }
            }
            // What falls after this scale, by layer: last layer, last source, lowest rank first. Nothing of the scale
            // being written can fall before its layer has written it.
            var waiting = [[EarlyDrop]](repeating: [], count: layers)
            for source in stride(from: scale - 1, through: sinkScales, by: -1) {
                for slot in orders[source - sinkScales].prefix(pruneCounts[scale + 1])
                where absentFrom[source][slot] == scale + 1 {
                    waiting[slot / heads].append(
                        EarlyDrop(scale: scale, afterLayer: 0, source: source, layer: slot / heads, head: slot % heads))
                }
            }
            for layer in 0..<layers {
                let written = (layer * heads)..<((layer + 1) * heads)
                total += schedule.tokenCount(scale) * absentFrom[scale][written].count { $0 > scale + 1 }
                for drop in waiting[layer] { total -= schedule.tokenCount(drop.source) }
                var last = layers - 1
                while total > slots, last > layer {
                    guard !waiting[last].isEmpty else {
                        last -= 1
                        continue
                    }
                    let drop = waiting[last].removeFirst()
                    total -= schedule.tokenCount(drop.source)
                    drops.append(
                        EarlyDrop(
                            scale: scale, afterLayer: layer, source: drop.source, layer: drop.layer, head: drop.head))
                }
            }
        }
        return drops
    }

    /// Whether a head holds a source scale while `scale` runs.
    func holds(source: Int, layer: Int, head: Int, scale: Int) -> Bool {
        source < scale && absentFrom[source][layer * heads + head] > scale
    }

    /// The tokens of every cell.
    var capacities: CellCapacities {
        var table = CellCapacities(
            branchCount: 1, scaleCount: schedule.scaleCount, layerCount: layers, headCount: heads)
        for scale in 0..<schedule.scaleCount {
            for layer in 0..<layers {
                for head in 0..<heads {
                    table[0, scale, layer, head] = (0..<scale).reduce(0) {
                        $0
                            + (holds(source: $1, layer: layer, head: head, scale: scale) ? schedule.tokenCount($1) : 0)
                    }
                }
            }
        }
        return table
    }

    /// The schedule as boundary maps, without merging: every slot is one token.
    func plan() throws -> PoolingPlan {
        let maps = (0..<schedule.scaleCount).flatMap { scale in
            (0..<layers * heads).map { slot -> BoundaryMap in
                guard scale > 0 else { return BoundaryMap(keeping: 0) }
                let (layer, head) = (slot / heads, slot % heads)
                var kept: [Bool] = []
                for source in 0..<scale
                where source == scale - 1 || holds(source: source, layer: layer, head: head, scale: scale - 1) {
                    let stays = holds(source: source, layer: layer, head: head, scale: scale)
                    kept += repeatElement(stays, count: schedule.tokenCount(source))
                }
                return BoundaryMap(kept: kept)
            }
        }
        return try PoolingPlan(
            schedule: schedule, branchCount: 1, layerCount: layers, headCount: heads, maps: maps)
    }
}
