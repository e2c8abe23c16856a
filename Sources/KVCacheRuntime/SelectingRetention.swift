import ProfileFormat
import TensorKernels

/// Retention by a selection rule: a cell keeps everything until its capacity is exceeded, then what the rule chooses.
struct SelectingRetention: BoundaryStep {
    let wantsMass: Bool
    var accumulatesMass: Bool { selector.accumulatesMass }
    var wantsRawQueries: Bool { selector.needsRawQueries }
    private let selector: any SlotSelector
    private let weights: [FloatBuffer?]  // per scale; nil: all queries count 1

    init(selector: any SlotSelector, schedule: ScaleSchedule) {
        self.selector = selector
        let weights = schedule.grids.map { selector.rowWeights(for: $0) }
        wantsMass = weights.contains { $0 != nil }
        self.weights = weights.map { $0.flatMap { $0.isEmpty ? nil : FloatBuffer($0) } }
    }

    func rowWeights(scale: Int) -> UnsafePointer<Float>? { weights[scale].map { UnsafePointer($0.pointer) } }

    func scratchBytes(history: Int, tokens: Int, kept: Int, width: Int) -> Int {
        let count = history + tokens
        return ScratchPieces.byteCount(Int32.self, count) + ScratchPieces.byteCount(Double.self, count)
            + ScratchPieces.byteCount(Float.self, count) + ScratchPieces.byteCount(Int32.self, kept)
            + CellSlots.scratchBytes(count: history, width: width)
            + (selector.revisesSlots
                ? 2 * ScratchPieces.byteCount(Float.self, kept * width) + ScratchPieces.byteCount(Float.self, kept) : 0)
    }

    func carryOut(_ boundary: CellBoundary) {
        var scratch = boundary.scratch
        let mass = mass(boundary, &scratch), count = boundary.sourceCount, keptCount = boundary.new.count
        guard keptCount < count else {
            boundary.keepAll()
            if let mass, let masses = boundary.new.masses {
                for index in 0..<count { masses[index] = Float(mass[index]) }
            }
            return
        }
        let candidates = candidates(boundary, mass: mass, &scratch)
        let kept = UnsafeMutableBufferPointer(start: scratch.take(Int32.self, keptCount), count: keptCount)
        selector.select(candidates, into: kept)
        var last: Int32 = -1
        for index in kept {
            precondition(index > last && index < count, "a rule writes indices of candidates, ascending")
            last = index
        }
        for place in 0..<keptCount { boundary.keep(Int(kept[place]), at: place) }
        if let mass, let masses = boundary.new.masses {
            for place in 0..<keptCount { masses[place] = Float(mass[Int(kept[place])]) }
        }
        if selector.revisesSlots { revise(boundary, candidates, kept: UnsafeBufferPointer(kept), &scratch) }
    }

    /// The mass that the rule sees: this scale's, and what old slots carry if the rule accumulates it.
    private func mass(_ boundary: CellBoundary, _ scratch: inout ScratchPieces) -> UnsafePointer<Double>? {
        guard wantsMass, let measured = boundary.mass else { return nil }
        guard accumulatesMass, let carried = boundary.old.masses else { return measured }
        let sum = scratch.take(Double.self, boundary.sourceCount)
        for index in 0..<boundary.sourceCount {
            sum[index] = measured[index] + (index < boundary.old.count ? Double(carried[index]) : 0)
        }
        return UnsafePointer(sum)
    }

    private func candidates(
        _ boundary: CellBoundary, mass: UnsafePointer<Double>?, _ scratch: inout ScratchPieces
    ) -> SlotCandidates {
        let old = boundary.old, width = old.width, count = boundary.sourceCount
        let positions = scratch.take(Int32.self, count)
        positions.update(from: old.positions, count: old.count)
        for token in 0..<boundary.tokens { positions[old.count + token] = boundary.firstPosition + Int32(token) }
        let needsValues = selector.needsValues || selector.needsValueNorms
        func rows(_ old: UnsafePointer<Float>, _ new: UnsafePointer<Float>) -> CandidateRows {
            CandidateRows(old: old, historyCount: boundary.old.count, new: new, width: width)
        }
        let keys = selector.needsKeys ? rows(old.floatKeys(&scratch), boundary.keys) : nil
        let values = needsValues ? rows(old.floatValues(&scratch), boundary.values) : nil
        var norms: UnsafeMutablePointer<Float>?
        if selector.needsValueNorms, let values {
            let computed = scratch.take(Float.self, count)
            for index in 0..<count {
                let value = values[index]
                var sum: Float = 0
                for channel in 0..<width { sum += value[channel] * value[channel] }
                computed[index] = sum.squareRoot()
            }
            norms = computed
        }
        return SlotCandidates(
            scale: boundary.scale, branch: boundary.branch, layer: boundary.layer, head: boundary.head,
            historyCount: old.count, positions: UnsafeBufferPointer(start: positions, count: count), mass: mass,
            valueNorms: norms.map { UnsafePointer($0) }, headWidth: width, queries: boundary.queries, keys: keys,
            values: selector.needsValues ? values : nil, biases: UnsafePointer(old.biases), schedule: boundary.schedule,
            sequence: boundary.sequence, rawQueries: boundary.rawQueries)
    }

    /// Lets the rule change what is stored for the kept candidates.
    private func revise(
        _ boundary: CellBoundary, _ candidates: SlotCandidates, kept: UnsafeBufferPointer<Int32>,
        _ scratch: inout ScratchPieces
    ) {
        let new = boundary.new, width = new.width, count = kept.count
        let keys = scratch.take(Float.self, count * width), values = scratch.take(Float.self, count * width)
        for (place, index) in kept.enumerated() {
            let index = Int(index), isOld = index < boundary.old.count, token = index - boundary.old.count
            if isOld {
                new.format.decode(boundary.old.key(index), count: 1, width: width, into: keys + place * width)
                new.format.decode(boundary.old.value(index), count: 1, width: width, into: values + place * width)
            } else {
                (keys + place * width).update(from: boundary.newKey(token), count: width)
                (values + place * width).update(from: boundary.newValue(token), count: width)
            }
        }
        selector.revise(candidates, kept: kept, keys: keys, values: values, biases: new.biases)
        new.format.encode(keys, count: count, width: width, into: new.keys)
        new.format.encode(values, count: count, width: width, into: new.values)
    }
}
