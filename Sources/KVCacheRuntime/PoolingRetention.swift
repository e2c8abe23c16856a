import ProfileFormat
import TensorKernels

/// Retention by fixed boundary maps: each new slot is a sum of source keys and values with the plan's coefficients, in
/// ascending source order, in float32; nothing is scored and nothing is sorted (`method.md` section 4).
///
/// A slot with one source is that source as it is: in a narrow format its stored bytes are copied, never quantised
/// again. Dropped tokens are never stored.
struct PoolingRetention: BoundaryStep {
    let wantsMass = false
    let accumulatesMass = false
    private let plan: PoolingPlan

    /// - Precondition: the plan fits the schedule, layers, heads and branches the cache is made for.
    init(plan: PoolingPlan) { self.plan = plan }

    func rowWeights(scale: Int) -> UnsafePointer<Float>? { nil }

    func scratchBytes(history: Int, tokens: Int, kept: Int, width: Int) -> Int {
        SlotSums.scratchBytes(count: kept, width: width) + ScratchPieces.byteCount(Int32.self, kept)
            + 2 * ScratchPieces.byteCount(Float.self, width)
    }

    func carryOut(_ boundary: CellBoundary) {
        let (branch, scale, layer, head) = (boundary.branch, boundary.scale + 1, boundary.layer, boundary.head)
        let map = plan.map(branch: branch, scale: scale, layer: layer, head: head)
        guard !map.isIdentity else {
            boundary.keepAll()
            return
        }
        let old = boundary.old, new = boundary.new
        let coefficients = plan.coefficients(branch: branch, scale: scale, layer: layer, head: head)
        var scratch = boundary.scratch
        let sourceCounts = scratch.take(Int32.self, new.count)
        let oldKey = scratch.take(Float.self, new.width), oldValue = scratch.take(Float.self, new.width)
        let sums = SlotSums(into: new, scratch: &scratch)
        sourceCounts.update(repeating: 0, count: new.count)
        map.targets.withUnsafeBufferPointer { targets in
            for target in targets where target != BoundaryMap.dropped { sourceCounts[Int(target)] += 1 }
            for source in targets.indices where targets[source] != BoundaryMap.dropped {
                let slot = Int(targets[source])
                guard sourceCounts[slot] > 1 else {
                    boundary.keep(source, at: slot)
                    continue
                }
                let (key, value) = coefficients.pair(source: source)
                let isFirst: Bool
                if source < old.count {
                    old.format.decode(old.key(source), count: 1, width: new.width, into: oldKey)
                    old.format.decode(old.value(source), count: 1, width: new.width, into: oldValue)
                    isFirst = sums.add(key: oldKey, key, value: oldValue, value, to: slot)
                } else {
                    let token = source - old.count
                    isFirst = sums.add(
                        key: boundary.newKey(token), key, value: boundary.newValue(token), value, to: slot)
                }
                // Sources ascend, so the first one holds the slot's lowest position.
                if isFirst { new.positions[slot] = boundary.position(source) }
            }
        }
        sums.store()
        let biases = plan.biases(branch: branch, scale: scale, layer: layer, head: head)
        new.biases.update(from: biases, count: biases.count)
    }
}
