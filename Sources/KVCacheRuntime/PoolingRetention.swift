import ProfileFormat
import TensorKernels

/// Retention by fixed boundary maps: each new slot is a sum of source keys and values with the plan's coefficients, in
/// ascending source order, in float32; nothing is scored and nothing is sorted (`method.md` section 4).
///
/// A slot with one source is that source as it is: in a narrow format its stored bytes are copied, never quantised
/// again. Dropped tokens are never stored.
final class PoolingRetention: BoundaryStep {
    let wantsMass = false
    let accumulatesMass = false
    private let plan: PoolingPlan

    /// - Precondition: the plan fits the schedule, layers, heads and branches the cache is made for.
    init(plan: PoolingPlan) { self.plan = plan }

    func rowWeights(scale: Int) -> UnsafePointer<Float>? { nil }

    func scratchBytes(history: Int, tokens: Int, kept: Int, width: Int) -> Int {
        ScratchPieces.byteCount(Int32.self, kept) + 3 * ScratchPieces.byteCount(Float.self, history + tokens)
            + 2 * ScratchPieces.byteCount(Float.self, kept * width)
            + CellSlots.scratchBytes(count: history, width: width)
    }

    func carryOut(_ boundary: CellBoundary) {
        let (branch, scale, layer, head) = (boundary.branch, boundary.scale + 1, boundary.layer, boundary.head)
        let map = plan.map(branch: branch, scale: scale, layer: layer, head: head)
        guard !map.isIdentity else {
            boundary.keepAll()
            return
        }
        let new = boundary.new
        var scratch = boundary.scratch
        let sourceCounts = scratch.take(Int32.self, new.count)
        let slots = scratch.take(Int32.self, boundary.sourceCount)
        sourceCounts.update(repeating: 0, count: new.count)
        let oldPositions = boundary.old.positions, oldCount = boundary.old.count, first = boundary.firstPosition
        map.targets.withUnsafeBufferPointer { targets in
            for target in targets where target != BoundaryMap.dropped { sourceCounts[Int(target)] += 1 }
            for source in targets.indices {
                let slot = Int(targets[source])
                slots[source] = -1
                guard targets[source] != BoundaryMap.dropped else { continue }
                if sourceCounts[slot] == 1 {
                    boundary.keep(source, at: slot)
                } else {
                    slots[source] = Int32(slot)
                    // Sources ascend, so the first holds the slot's lowest position; later ones find a count below 0.
                    if sourceCounts[slot] > 0 {
                        new.positions[slot] =
                            source < oldCount ? oldPositions[source] : first + Int32(source - oldCount)
                    }
                    sourceCounts[slot] = -1
                }
            }
        }
        let keys = scratch.take(Float.self, boundary.sourceCount)
        let values = scratch.take(Float.self, boundary.sourceCount)
        plan.writeCoefficients(branch: branch, scale: scale, layer: layer, head: head, keys: keys, values: values)
        pool(boundary, slots: slots, keyCoefficients: keys, valueCoefficients: values, &scratch)
        plan.writeBiases(branch: branch, scale: scale, layer: layer, head: head, to: new.biases)
    }

    /// Writes the slots that have several sources: `slots` `[sources]`, negative for sources that go elsewhere.
    private func pool(
        _ boundary: CellBoundary, slots: UnsafeMutablePointer<Int32>, keyCoefficients: UnsafePointer<Float>,
        valueCoefficients: UnsafePointer<Float>, _ scratch: inout ScratchPieces
    ) {
        let old = boundary.old, new = boundary.new, width = new.width
        func sums(
            _ history: UnsafePointer<Float>, _ current: UnsafePointer<Float>, _ coefficients: UnsafePointer<Float>
        ) -> UnsafeMutablePointer<Float> {
            let sums = scratch.take(Float.self, new.count * width)
            // -0 + x is x, whatever x: the first addition is a copy.
            sums.update(repeating: -0.0, count: new.count * width)
            Kernels.addRows(
                history, rows: old.count, width: width, slots: slots, coefficients: coefficients, to: sums)
            Kernels.addRows(
                current, rows: boundary.tokens, width: width, slots: slots + old.count,
                coefficients: coefficients + old.count, to: sums)
            return sums
        }
        let oldKeys = old.floatKeys(&scratch), oldValues = old.floatValues(&scratch)
        let keys = sums(oldKeys, boundary.keys, keyCoefficients)
        let values = sums(oldValues, boundary.values, valueCoefficients)
        for source in 0..<boundary.sourceCount where slots[source] >= 0 {
            let slot = Int(slots[source])
            // Each slot once, at its first source.
            guard new.positions[slot] == boundary.position(source) else { continue }
            new.store(key: keys + slot * width, value: values + slot * width, at: slot)
        }
    }
}
