import Checkpoints
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// The model of `inf-a` under HeatKV's schedules, carried out as plans: the logits of the released code.
@Suite struct GoldenHeatKVRunTests {
    @Test func prunedRunsGiveTheReleasedLogits() throws {
        let golden = try GoldenCase("inf-a"), run = try Golden.open("heatkv-run-a"), config = try run.config
        let shape = golden.stack, schedule = shape.schedule, scales = schedule.scaleCount
        let sinkScales = try config.member("sink_scales").integer(), sources = scales - 1 - sinkScales
        let cells = shape.depth * shape.heads
        for row in try config.member("budgets").elements() {
            let index = try row.member("index").integer()
            let removed = try run.uint8("removed.\(index)")  // [target, source, layer, head]
            func holds(_ source: Int, _ cell: Int, _ target: Int) -> Bool {
                source < sinkScales || removed[(target * sources + source - sinkScales) * cells + cell] == 0
            }
            let maps = (0..<scales).flatMap { scale in
                (0..<cells).map { cell in
                    var labels: [Int?] = []
                    for source in 0..<scale where source == scale - 1 || holds(source, cell, scale - 1) {
                        let first = labels.count
                        for token in 0..<schedule.tokenCount(source) {
                            labels.append(holds(source, cell, scale) ? first + token : nil)
                        }
                    }
                    return BoundaryMap(labels: labels)
                }
            }
            let plan = try PoolingPlan(
                schedule: schedule, branchCount: 1, layerCount: shape.depth, headCount: shape.heads, maps: maps)
            let cache = try KVCache(
                geometry: shape.geometry(branches: 2, images: golden.images), plan: plan)
            var hooks = GenerationHooks(), logits: [Int: [Float]] = [:]
            hooks.logits = { logits[$0] = Array($1) }
            _ = try golden.generate(cache, hooks: hooks)
            let changes = try row.member("max_logit_change").elements().map { try $0.number() }
            for scale in 0..<scales where changes[scale] > 0 {
                try expectClose(
                    logits[scale] ?? [], run.view("out.logits.\(index).\(scale)"), tolerance: 5e-4,
                    what: "budget \(index), logits of scale \(scale)")
            }
            #expect(changes.contains { $0 > 0 })
        }
    }
}
