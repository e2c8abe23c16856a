import ProfileFormat

/// The sources of one cell: for each slot the history positions it stands for and what they count in its key and value.
///
/// One after the other in flat arrays: at Infinity's size there are three million slots at once.
struct SourceSlots {
    /// Where each slot's positions begin, and where the last one's end.
    private(set) var starts: [Int32] = [0]
    /// The positions, slot after slot.
    private(set) var positions: [Int32] = []
    /// What each position counts.
    private(set) var coefficients: [Float] = []

    /// How many slots there are.
    var count: Int { starts.count - 1 }

    /// Where a slot's positions lie.
    func range(_ slot: Int) -> Range<Int> { Int(starts[slot])..<Int(starts[slot + 1]) }

    /// How many positions a slot stands for.
    func members(_ slot: Int) -> Int32 { starts[slot + 1] - starts[slot] }

    /// Appends new tokens, each a slot of its own.
    func appending(_ tokens: Range<Int>) -> SourceSlots {
        var result = self
        result.starts += (1...max(tokens.count, 1)).prefix(tokens.count).map { Int32(positions.count + $0) }
        result.positions += tokens.map { Int32($0) }
        result.coefficients += repeatElement(1, count: tokens.count)
        return result
    }

    /// The slots that a map makes of these. The positions of a slot stand in the order of its sources.
    func pooled(by map: BoundaryMap) -> SourceSlots {
        guard !map.isIdentity else { return self }
        var members = [Int32](repeating: 0, count: map.slotCount)
        for (source, target) in map.targets.enumerated() where target != BoundaryMap.dropped {
            members[Int(target)] += self.members(source)
        }
        let pairs = BoundaryCoefficients(
            map: map, before: (0..<count).map { self.members($0) }, after: members, oldCount: count)
        var result = SourceSlots()
        for count in members { result.starts.append((result.starts.last ?? 0) + count) }
        let total = Int(result.starts[map.slotCount])
        result.positions = Array(repeating: 0, count: total)
        result.coefficients = Array(repeating: 0, count: total)
        var next = result.starts
        for (source, target) in map.targets.enumerated() where target != BoundaryMap.dropped {
            let coefficient = pairs.pair(source: source).key
            for place in range(source) {
                let to = Int(next[Int(target)])
                result.positions[to] = positions[place]
                result.coefficients[to] = coefficients[place] * coefficient
                next[Int(target)] += 1
            }
        }
        return result
    }

    /// For each slot the sum over its positions of rows of `width` numbers, times their coefficients for a mean; each
    /// times `factor`, written at a distance of `stride`, from `offset` on.
    func add(
        _ rows: [Float], width: Int, isMean: Bool, factor: Float, to sums: inout [Float], stride: Int, offset: Int
    ) {
        rows.withUnsafeBufferPointer { rows in
            sums.withUnsafeMutableBufferPointer { sums in
                for slot in 0..<count {
                    let to = slot * stride + offset
                    for place in range(slot) {
                        let from = Int(positions[place]) * width, share = isMean ? coefficients[place] : 1
                        for r in 0..<width { sums[to + r] += share * rows[from + r] }
                    }
                    if factor != 1 { for r in 0..<width { sums[to + r] *= factor } }
                }
            }
        }
    }
}
