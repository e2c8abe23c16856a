import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// The model of `inf-a` through ScaleKV's released patch: which tokens stay, and what that does to the logits.
@Suite struct GoldenScaleKVRunTests {
    @Test func releasedSelectionInsideTheModel() throws {
        let golden = try GoldenCase("inf-a"), run = try Golden.open("scalekv-run-a"), config = try run.config
        let shape = golden.stack, schedule = shape.schedule
        var capacities = CellCapacities.full(schedule: schedule, layers: shape.depth, heads: shape.heads)
        for (scale, row) in [(5, "6"), (6, "7")] {
            let tokens = try config.member("budget_rows").member(row).integers()
            for layer in 0..<shape.depth {
                for head in 0..<shape.heads { capacities[0, scale, layer, head] = tokens[layer] }
            }
        }
        let cache = try golden.makeCache(
            capacities: capacities, selector: ScaleKVCompatRule(window: 16, pooling: .none))
        var logits: [Int: [Float]] = [:], held: [Int: [[Int32]]] = [:]  // [scale] -> [layer, sequence, head]
        var hooks = GenerationHooks()
        hooks.logits = { logits[$0] = Array($1) }
        hooks.finishedScale = { scale in
            held[scale] = (0..<shape.depth).flatMap { layer in
                (0..<4).flatMap { sequence in
                    (0..<shape.heads).map { cache.positions(sequence: sequence, layer: layer, head: $0) }
                }
            }
        }
        _ = try golden.generate(cache, hooks: hooks)

        for scale in 4...6 {
            try expectClose(
                logits[scale] ?? [], run.view("out.logits.\(scale)"), tolerance: 5e-4, what: "logits of scale \(scale)")
        }
        for scale in 4...5 {
            let first = Int32(schedule.historyTokens(scale)), next = Int32(schedule.historyTokens(scale + 1))
            for layer in 0..<shape.depth {
                let kept = try run.int32("kept.\(layer).\(scale)"), each = kept.count / (4 * shape.heads)
                for cell in 0..<4 * shape.heads {
                    // The golden numbers count inside the cache before the cut.
                    let before = (held[scale - 1]?[layer * 4 * shape.heads + cell] ?? []) + (first..<next)
                    let expected = kept[cell * each..<(cell + 1) * each].map { before[Int($0)] }
                    expectSame(
                        held[scale]?[layer * 4 * shape.heads + cell] ?? [], expected,
                        what: "scale \(scale), layer \(layer), cell \(cell)")
                }
            }
        }
    }
}
