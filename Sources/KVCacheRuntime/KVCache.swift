import ProfileFormat
import TensorKernels
import VernierCore

/// The retained KV cache of one generation: allocated once from a plan, compacted in place after each layer of each
/// scale. Full or compressed, it is the same code: the full cache has capacities that keep everything.
///
/// The history and the current map are attended as two segments; the current map's keys and values are never copied
/// into the cache before it is known which of them stay. The last scale is not stored.
///
/// Use: for each image, for each scale in order, for each layer in order, call ``attend(scale:layer:queries:keys:values:into:observer:)``.
public final class KVCache {
    /// The sizes the cache was made for.
    public let geometry: CacheGeometry
    /// Capacity of every cell.
    public let capacities: CellCapacities
    /// The prediction that sized the cache.
    public let plan: ResidentPlan
    /// Bytes held and kept; see ``CacheLedger``.
    public private(set) var ledger: CacheLedger

    private let selector: any SlotSelector
    private let arena: SlotArena
    private var layerStart: [Int]  // first slot of each layer's region
    private var cellSlots: [Int]  // [layer][sequence][head] slots held now
    private var leftEnd = 0  // slots packed at the left so far in this scale
    private var nextScale = 0
    private var nextLayer = 0
    private let scratch = ThreadScratch(countEach: 0)
    private let rowWeights: [FloatBuffer?]  // per scale; nil inside the array: all rows count 1
    private let wantsMass: Bool
    private var mass: [Double] = []
    private var kept: [Int32] = []
    private var oldRegion = FloatBuffer(count: 0)
    private var oldPositions: [Int32] = []
    private var oldBiases: [Float] = []

    /// Makes an empty cache.
    ///
    /// Throws if `capacities` do not belong to the geometry (``VernierError/Code/mismatch``), or if the plan needs more
    /// bytes than an address can count (``VernierError/Code/outOfMemory``).
    public init(
        geometry: CacheGeometry, capacities: CellCapacities, selector: any SlotSelector,
        storage: StorageFormat = .float32
    ) throws {
        self.geometry = geometry
        self.capacities = capacities
        self.selector = selector
        plan = ResidentPlan(
            capacities: capacities, schedule: geometry.schedule, storage: storage, headWidth: geometry.headWidth,
            branches: geometry.branches)
        let (slots, overflow) = plan.residentSlots.multipliedReportingOverflow(by: geometry.images)
        guard !overflow, slots < Int.max / (16 * geometry.headWidth) else {
            throw VernierError(
                .outOfMemory, at: "KV cache", problems: ["the plan needs \(plan.residentSlots) slots an image"],
                remedy: "Generate fewer images at once, or compile a smaller budget.")
        }
        arena = SlotArena(capacity: slots, headWidth: geometry.headWidth)
        let full = ResidentPlan(
            capacities: .full(schedule: geometry.schedule, layers: geometry.layers, heads: geometry.heads),
            schedule: geometry.schedule, storage: storage, headWidth: geometry.headWidth, branches: geometry.branches)
        ledger = CacheLedger(
            predictedResidentBytes: plan.residentBytes(batch: geometry.images),
            allocatedResidentBytes: arena.values.byteCount, peakResidentBytes: 0,
            fullCacheBytes: full.residentBytes(batch: geometry.images), transientBytes: 0,
            bookkeepingBytes: slots * SlotArena.bookkeepingBytesPerSlot,
            keptSlots: [])
        layerStart = Array(repeating: 0, count: geometry.layers)
        cellSlots = Array(repeating: 0, count: geometry.layers * geometry.sequences * geometry.heads)
        let weights = geometry.schedule.grids.map { selector.rowWeights(for: $0) }
        wantsMass = weights.contains { $0 != nil }
        rowWeights = weights.map { $0.flatMap { $0.isEmpty ? nil : FloatBuffer($0) } }
        reset()
    }

    /// Empties the cache for the next image; the memory stays.
    public func reset() {
        nextScale = 0
        nextLayer = 0
        leftEnd = 0
        for index in layerStart.indices { layerStart[index] = arena.capacity }
        for index in cellSlots.indices { cellSlots[index] = 0 }
        let cells = geometry.branches * geometry.schedule.scaleCount * geometry.layers * geometry.heads
        ledger.keptSlots = Array(repeating: 0, count: cells)
    }

    /// The history positions that a cell holds now, ascending.
    public func positions(sequence: Int, layer: Int, head: Int) -> [Int32] {
        let region = cellStart(sequence: sequence, layer: layer, head: head)
        let count = cellSlots[cellIndex(sequence: sequence, layer: layer, head: head)]
        return Array(UnsafeBufferPointer(start: arena.positions + region, count: count))
    }

    /// The keys and values `[slots, D]` that a cell holds now.
    public func contents(sequence: Int, layer: Int, head: Int) -> (keys: [Float], values: [Float]) {
        let count = cellSlots[cellIndex(sequence: sequence, layer: layer, head: head)] * geometry.headWidth
        let start = arena.values.pointer + cellStart(sequence: sequence, layer: layer, head: head) * arena.slotWidth
        return (
            Array(UnsafeBufferPointer(start: start, count: count)),
            Array(UnsafeBufferPointer(start: start + count, count: count))
        )
    }

    /// Attends one layer's current map to its retained history and to itself, then retains what the plan keeps of both.
    ///
    /// `queries`, `keys`, `values` are `[sequences, H, n_k, D]`; the result goes to `output` `[sequences, n_k, H * D]`.
    /// Queries and keys are final: normalised, scaled, rotated.
    /// - Precondition: scales and layers are called in order, from (0, 0) after ``reset()``.
    public func attend(
        scale: Int, layer: Int, queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
        into output: UnsafeMutablePointer<Float>, observer: (any AttentionObserver)? = nil
    ) {
        precondition(scale == nextScale && layer == nextLayer, "scales and layers are called in order")
        if layer == 0 { beginScale() }
        let tokens = geometry.schedule.tokenCount(scale), heads = geometry.heads, width = geometry.headWidth
        let cells = geometry.sequences * heads
        let isLast = scale == geometry.schedule.scaleCount - 1
        let starts = cellStarts(layer: layer)
        let counts = Array(cellSlots[(layer * cells)..<((layer + 1) * cells)])
        let mostHistory = counts.max() ?? 0, total = mostHistory + tokens
        let selects = !isLast && wantsMass
        let measures = selects || observer != nil
        scratch.reserve(
            countEach: Attention.scratchCount(headWidth: width, historyCount: mostHistory, currentCount: tokens))
        recordKept(scale: scale, layer: layer, counts: counts)

        let topCounts = observer?.topCounts ?? []
        if measures, mass.count < cells * total { mass = Array(repeating: 0, count: cells * total) }
        var entropies = [Double](repeating: 0, count: observer == nil ? 0 : cells)
        var topMass = [Double](repeating: 0, count: cells * topCounts.count)
        let wantsProbabilities = observer?.wantsProbabilities ?? false
        let probabilities = FloatBuffer(count: wantsProbabilities ? cells * tokens * total : 0)
        let weights = observer == nil && selects ? rowWeights[scale] : nil
        // An observer needs every query; the rule then gets its own, weighted mass in a second pass.
        mass.withUnsafeMutableBufferPointer { mass in
            entropies.withUnsafeMutableBufferPointer { entropies in
                topMass.withUnsafeMutableBufferPointer { topMass in
                    topCounts.withUnsafeBufferPointer { topCounts in
                        nonisolated(unsafe) let mass = mass, entropies = entropies, topMass = topMass
                        Parallel.forEach(parts: cells) { cell in
                            let (sequence, head) = (cell / heads, cell % heads)
                            var attention = self.attention(
                                cell: cell, history: counts[cell], start: starts[cell], tokens: tokens,
                                queries: queries,
                                keys: keys, values: values,
                                output: output + (sequence * tokens * heads + head) * width, outputStride: heads * width
                            )
                            if measures, let base = mass.baseAddress {
                                (base + cell * total).update(repeating: 0, count: total)
                                attention.columnMass = base + cell * total
                                attention.rowWeights = weights.map { UnsafePointer($0.pointer) }
                            }
                            if observer != nil {
                                attention.entropy = entropies.baseAddress.map { $0 + cell }
                                attention.topCounts = topCounts.baseAddress
                                attention.topCountCount = topCounts.count
                                attention.topMass = topMass.baseAddress.map { $0 + cell * topCounts.count }
                            }
                            if wantsProbabilities {
                                attention.probabilities = probabilities.pointer + cell * tokens * total
                            }
                            attention.run(scratch: scratch.pointer)
                        }
                    }
                }
            }
        }
        if let observer {
            report(
                to: observer, scale: scale, layer: layer, counts: counts, total: total, values: values,
                entropies: entropies, topMass: topMass, probabilities: wantsProbabilities ? probabilities : nil)
            if selects, rowWeights[scale] != nil {
                remeasure(
                    scale: scale, counts: counts, starts: starts, total: total, queries: queries, keys: keys,
                    values: values)
            }
        }
        if !isLast {
            retain(scale: scale, layer: layer, counts: counts, starts: starts, total: total, keys: keys, values: values)
        }
        nextLayer += 1
        if nextLayer == geometry.layers {
            nextLayer = 0
            nextScale += 1
        }
    }

    // MARK: - Layout

    private func cellIndex(sequence: Int, layer: Int, head: Int) -> Int {
        (layer * geometry.sequences + sequence) * geometry.heads + head
    }

    private func cellStart(sequence: Int, layer: Int, head: Int) -> Int {
        let first = layer * geometry.sequences * geometry.heads
        return layerStart[layer]
            + cellSlots[first..<cellIndex(sequence: sequence, layer: layer, head: head)].reduce(0, +)
    }

    private func cellStarts(layer: Int) -> [Int] {
        let cells = geometry.sequences * geometry.heads
        var start = layerStart[layer]
        return (0..<cells).map { cell in
            defer { start += cellSlots[layer * cells + cell] }
            return start
        }
    }

    private func layerSlots(_ layer: Int) -> Int {
        let cells = geometry.sequences * geometry.heads
        return cellSlots[(layer * cells)..<((layer + 1) * cells)].reduce(0, +)
    }

    /// Packs everything at the right end, which frees the left for the first layer's new region.
    private func beginScale() {
        let held = cellSlots.reduce(0, +)
        let first = arena.capacity - held
        if let start = layerStart.first, held > 0 {
            arena.move(from: start, to: first, count: held)
        }
        var start = first
        for layer in layerStart.indices {
            layerStart[layer] = start
            start += layerSlots(layer)
        }
        leftEnd = 0
    }

    // MARK: - Measuring

    private func report(
        to observer: any AttentionObserver, scale: Int, layer: Int, counts: [Int], total: Int,
        values: UnsafePointer<Float>, entropies: [Double], topMass: [Double], probabilities: FloatBuffer?
    ) {
        let tokens = geometry.schedule.tokenCount(scale), top = observer.topCounts.count
        mass.withUnsafeBufferPointer { mass in
            topMass.withUnsafeBufferPointer { topMass in
                for cell in counts.indices {
                    let keyCount = counts[cell] + tokens
                    observer.observe(
                        AttentionRecord(
                            sequence: cell / geometry.heads, layer: layer, head: cell % geometry.heads, scale: scale,
                            queryCount: tokens, historyCount: counts[cell],
                            columnMass: UnsafeBufferPointer(rebasing: mass[(cell * total)..<(cell * total + keyCount)]),
                            topMass: UnsafeBufferPointer(rebasing: topMass[(cell * top)..<((cell + 1) * top)]),
                            entropy: entropies[cell],
                            currentValues: values + cell * tokens * geometry.headWidth,
                            probabilities: probabilities.map {
                                UnsafeBufferPointer(start: $0.pointer + cell * tokens * total, count: tokens * keyCount)
                            }))
                }
            }
        }
    }

    /// The rule's own, row-weighted mass, when an observer has taken the all-query mass of the first pass.
    private func remeasure(
        scale: Int, counts: [Int], starts: [Int], total: Int, queries: UnsafePointer<Float>, keys: UnsafePointer<Float>,
        values: UnsafePointer<Float>
    ) {
        guard let weights = rowWeights[scale] else { return }
        let tokens = geometry.schedule.tokenCount(scale), width = geometry.headWidth
        let discarded = FloatBuffer(count: counts.count * tokens * width)
        mass.withUnsafeMutableBufferPointer { mass in
            nonisolated(unsafe) let mass = mass
            Parallel.forEach(parts: counts.count) { cell in
                var attention = self.attention(
                    cell: cell, history: counts[cell], start: starts[cell], tokens: tokens, queries: queries,
                    keys: keys,
                    values: values, output: discarded.pointer + cell * tokens * width, outputStride: width)
                attention.rowWeights = UnsafePointer(weights.pointer)
                if let base = mass.baseAddress {
                    (base + cell * total).update(repeating: 0, count: total)
                    attention.columnMass = base + cell * total
                }
                attention.run(scratch: scratch.pointer)
            }
        }
    }

    /// One cell's attention: its queries over its retained slots, with their biases, and its current map.
    private func attention(
        cell: Int, history: Int, start: Int, tokens: Int, queries: UnsafePointer<Float>, keys: UnsafePointer<Float>,
        values: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, outputStride: Int
    ) -> Attention {
        let width = geometry.headWidth, offset = cell * tokens * width
        let region = arena.values.pointer + start * arena.slotWidth
        var attention = Attention(
            queries: queries + offset, queryStride: width, queryCount: tokens, headWidth: width, output: output,
            outputStride: outputStride)
        attention.historyKeys = UnsafePointer(region)
        attention.historyValues = UnsafePointer(region + history * width)
        attention.historyBias = UnsafePointer(arena.biases + start)
        attention.historyCount = history
        attention.currentKeys = keys + offset
        attention.currentValues = values + offset
        attention.currentCount = tokens
        return attention
    }

    private func recordKept(scale: Int, layer: Int, counts: [Int]) {
        let heads = geometry.heads
        for branch in 0..<geometry.branches {
            for head in 0..<heads {
                let cell = ((branch * geometry.schedule.scaleCount + scale) * geometry.layers + layer) * heads + head
                ledger.keptSlots[cell] = counts[branch * geometry.images * heads + head]
            }
        }
    }

    // MARK: - Retaining

    /// Chooses what each cell keeps for the next scale and writes the layer's new region at the left.
    private func retain(
        scale: Int, layer: Int, counts: [Int], starts: [Int], total: Int, keys: UnsafePointer<Float>,
        values: UnsafePointer<Float>
    ) {
        let tokens = geometry.schedule.tokenCount(scale), heads = geometry.heads, width = geometry.headWidth
        let firstPosition = Int32(geometry.schedule.historyTokens(scale))
        let newCounts = counts.indices.map { cell in
            min(
                capacities[geometry.branch(ofSequence: cell / heads), scale + 1, layer, cell % heads],
                counts[cell] + tokens)
        }
        var keptStarts = [Int](), newStarts = [Int]()
        var keptTotal = 0
        for count in newCounts {
            keptStarts.append(keptTotal)
            newStarts.append(leftEnd + keptTotal)
            keptTotal += count
        }
        if kept.count < keptTotal { kept = Array(repeating: 0, count: keptTotal) }

        // The old region moves out of the way if the new one would overlap it.
        let oldCount = counts.reduce(0, +), oldStart = layerStart[layer]
        let overlaps = leftEnd + keptTotal > oldStart && oldCount > 0
        if overlaps {
            if oldRegion.count < oldCount * arena.slotWidth {
                oldRegion = FloatBuffer(count: oldCount * arena.slotWidth)
            }
            oldRegion.pointer.update(
                from: arena.values.pointer + oldStart * arena.slotWidth, count: oldCount * arena.slotWidth)
        }
        oldPositions = Array(UnsafeBufferPointer(start: arena.positions + oldStart, count: oldCount))
        oldBiases = Array(UnsafeBufferPointer(start: arena.biases + oldStart, count: oldCount))
        let source = UnsafePointer(overlaps ? oldRegion.pointer : arena.values.pointer + oldStart * arena.slotWidth)

        kept.withUnsafeMutableBufferPointer { kept in
            mass.withUnsafeBufferPointer { mass in
                oldPositions.withUnsafeBufferPointer { oldPositions in
                    nonisolated(unsafe) let kept = kept, mass = mass, oldPositions = oldPositions
                    Parallel.forEach(parts: counts.count) { cell in
                        let choice = UnsafeMutableBufferPointer(
                            rebasing: kept[keptStarts[cell]..<(keptStarts[cell] + newCounts[cell])])
                        let history = counts[cell], old = starts[cell] - oldStart
                        let oldKeys = source + old * arena.slotWidth, oldValues = oldKeys + history * width
                        let newKeys = keys + cell * tokens * width, newValues = values + cell * tokens * width
                        if choice.count == history + tokens {
                            for index in choice.indices { choice[index] = Int32(index) }
                        } else {
                            choose(
                                scale: scale, layer: layer, cell: cell, tokens: tokens,
                                oldPositions: UnsafeBufferPointer(rebasing: oldPositions[old..<(old + history)]),
                                firstPosition: firstPosition,
                                mass: wantsMass ? mass.baseAddress.map { $0 + cell * total } : nil,
                                oldValues: oldValues, newValues: newValues, into: choice)
                        }
                        let targetKeys = arena.values.pointer + newStarts[cell] * arena.slotWidth
                        let targetValues = targetKeys + choice.count * width
                        let targetPositions = arena.positions + newStarts[cell]
                        let targetBiases = arena.biases + newStarts[cell]
                        for (place, index) in choice.enumerated() {
                            let index = Int(index), isOld = index < history
                            let token = index - history
                            (targetKeys + place * width).update(
                                from: isOld ? oldKeys + index * width : newKeys + token * width, count: width)
                            (targetValues + place * width).update(
                                from: isOld ? oldValues + index * width : newValues + token * width, count: width)
                            targetPositions[place] = isOld ? oldPositions[old + index] : firstPosition + Int32(token)
                            targetBiases[place] = isOld ? oldBiases[old + index] : 0
                        }
                    }
                }
            }
        }
        let cells = counts.count
        cellSlots.replaceSubrange((layer * cells)..<((layer + 1) * cells), with: newCounts)
        layerStart[layer] = leftEnd
        leftEnd += keptTotal
        let held = cellSlots.reduce(0, +)
        ledger.peakResidentBytes = max(ledger.peakResidentBytes, held * arena.slotWidth * MemoryLayout<Float>.stride)
        ledger.transientBytes = max(
            ledger.transientBytes,
            scratch.byteCount + oldRegion.byteCount + mass.count * MemoryLayout<Double>.stride + kept.count * 4)
    }

    private func choose(
        scale: Int, layer: Int, cell: Int, tokens: Int, oldPositions: UnsafeBufferPointer<Int32>, firstPosition: Int32,
        mass: UnsafePointer<Double>?, oldValues: UnsafePointer<Float>, newValues: UnsafePointer<Float>,
        into choice: UnsafeMutableBufferPointer<Int32>
    ) {
        let width = geometry.headWidth, history = oldPositions.count
        let positions = Array(oldPositions) + (0..<Int32(tokens)).map { firstPosition + $0 }
        var norms: [Float] = []
        if selector.needsValueNorms {
            norms = (0..<(history + tokens)).map { index in
                let value = index < history ? oldValues + index * width : newValues + (index - history) * width
                var sum: Float = 0
                for c in 0..<width { sum += value[c] * value[c] }
                return sum.squareRoot()
            }
        }
        positions.withUnsafeBufferPointer { positions in
            norms.withUnsafeBufferPointer { norms in
                selector.select(
                    SlotCandidates(
                        scale: scale, branch: geometry.branch(ofSequence: cell / geometry.heads), layer: layer,
                        head: cell % geometry.heads, historyCount: history, positions: positions, mass: mass,
                        valueNorms: norms.isEmpty ? nil : norms.baseAddress, schedule: geometry.schedule),
                    into: choice)
            }
        }
    }
}
