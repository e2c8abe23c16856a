import KVCacheRuntime
import ProfileFormat
import TensorKernels

/// One layer of Infinity-2B through all scales of 1M, both branches: the full history against 10 % of it, as slots of a
/// pooling plan, or as tokens that a rule scores and selects at every boundary. The last scale, after which nothing is
/// retained, and the scale before it, after which most is merged or evicted, are told apart.
struct AttentionCase {
    private let geometry: CacheGeometry
    private let caches: [(variant: String, cache: KVCache)]
    private let queries: FloatBuffer
    private let keys: FloatBuffer
    private let values: FloatBuffer
    private let output: FloatBuffer

    init() throws {
        let schedule = InfinitySchedule(resolution: .full).schedule
        geometry = CacheGeometry(schedule: schedule, layers: 1, heads: 16, headWidth: 128, branches: 2, images: 1)
        let plan = try Self.plan(schedule, heads: 16, share: 0.1)
        caches = [
            (
                "full",
                try KVCache(
                    geometry: geometry, capacities: .full(schedule: schedule, layers: 1, heads: 16),
                    selector: SlidingWindowRule())
            ),
            ("10 %", try KVCache(geometry: geometry, plan: plan)),
            ("10 % int8", try KVCache(geometry: geometry, plan: plan, storage: CellStorage(uniform: .int8))),
            (
                "10 % attention-mass",
                try KVCache(geometry: geometry, capacities: plan.capacities, selector: AttentionMassRule())
            ),
        ]
        let most = schedule.grids.map(\.tokenCount).max() ?? 0, count = 2 * 16 * most * 128
        (queries, keys, values) = (FloatBuffer(count: count), FloatBuffer(count: count), FloatBuffer(count: count))
        output = FloatBuffer(count: count)
        for buffer in [queries, keys, values] {
            for place in 0..<count { buffer.pointer[place] = Float((place &* 2_654_435_761) >> 8 & 255) / 1024 - 0.125 }
        }
    }

    /// A plan that puts neighbours in scan order together.
    private static func plan(_ schedule: ScaleSchedule, heads: Int, share: Double) throws -> PoolingPlan {
        let kept = Int(share * Double(schedule.finalHistoryTokens))
        var maps: [BoundaryMap] = [], before = 0
        for scale in 0..<schedule.scaleCount {
            let sources = scale == 0 ? 0 : before + schedule.tokenCount(scale - 1)
            let map =
                sources > kept
                ? BoundaryMap(labels: (0..<sources).map { $0 * kept / sources }) : BoundaryMap(keeping: sources)
            before = map.slotCount
            maps += Array(repeating: map, count: heads)
        }
        return try PoolingPlan(schedule: schedule, branchCount: 1, layerCount: 1, headCount: heads, maps: maps)
    }

    func run() -> [Sample] {
        let schedule = geometry.schedule, last = schedule.scaleCount - 1
        return caches.flatMap { variant, cache -> [Sample] in
            cache.reset()
            var seconds: [Double] = [], retaining = 0.0
            for scale in 0...last {
                seconds.append(
                    Stopwatch.seconds {
                        cache.attend(
                            scale: scale, layer: 0, queries: queries.pointer, keys: keys.pointer,
                            values: values.pointer,
                            into: output.pointer)
                    })
            }
            retaining = cache.times.retainingSeconds / Double(Parallel.threadCount)
            return [
                Sample(name: "attention, 1M, last scale (4096 queries)", variant: variant, seconds: seconds[last]),
                Sample(name: "attention, 1M, last scale but one", variant: variant, seconds: seconds[last - 1]),
                Sample(name: "attention, 1M, all scales", variant: variant, seconds: seconds.reduce(0, +)),
                Sample(name: "retention, 1M, all scales (share of the threads)", variant: variant, seconds: retaining),
            ]
        }
    }
}
