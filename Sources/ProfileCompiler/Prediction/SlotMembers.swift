import ProfileFormat

/// The history positions that a slot stands for, and what each counts in its key and in its value.
struct SlotMembers {
    var positions: [Int] = []
    var keyCoefficients: [Float] = []
    var valueCoefficients: [Float] = []

    /// Whether the slot is one position as it was.
    var isUntouched: Bool { positions.count == 1 && keyCoefficients == [1] && valueCoefficients == [1] }

    /// The slots of a cell, scale by scale: `[scale][slot]`. Coefficients are multiplied along the boundaries.
    static func all(
        _ plan: PoolingPlan, branch: Int, layer: Int, head: Int, schedule: ScaleSchedule
    ) -> [[SlotMembers]] {
        var slots: [[SlotMembers]] = [[]]
        for scale in stride(from: 1, to: schedule.scaleCount, by: 1) {
            let map = plan.map(branch: branch, scale: scale, layer: layer, head: head)
            let first = schedule.historyTokens(scale - 1)
            let arriving = (0..<schedule.tokenCount(scale - 1)).map { token in
                SlotMembers(positions: [first + token], keyCoefficients: [1], valueCoefficients: [1])
            }
            let sources = slots[scale - 1] + arriving
            guard !map.isIdentity else {
                slots.append(sources)
                continue
            }
            let coefficients = plan.coefficients(branch: branch, scale: scale, layer: layer, head: head)
            var next = [SlotMembers](repeating: SlotMembers(), count: map.slotCount)
            for (source, target) in map.targets.enumerated() where target != BoundaryMap.dropped {
                next[Int(target)].add(sources[source], coefficients.pair(source: source))
            }
            slots.append(next)
        }
        return slots
    }

    private mutating func add(_ source: SlotMembers, _ factors: (key: Float, value: Float)) {
        positions += source.positions
        keyCoefficients += source.keyCoefficients.map { $0 * factors.key }
        valueCoefficients += source.valueCoefficients.map { $0 * factors.value }
    }
}
