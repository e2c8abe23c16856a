import ProfileFormat
import TensorKernels
import VernierCore

/// The retained KV cache of one generation: allocated once from a plan, compacted in place after each layer of each
/// scale. Full, evicting or pooling, it is the same code: the full cache has capacities that keep everything.
///
/// The history and the current map are attended as two segments; the current map's keys and values are never copied
/// into the cache before it is known which of them stay. The last scale is not stored.
///
/// Use: for each image, for each scale in order, for each layer in order, call
/// ``attend(scale:layer:queries:keys:values:rawQueries:into:observer:)``.
public final class KVCache {
    /// The sizes the cache was made for.
    public let geometry: CacheGeometry
    /// Capacity of every cell.
    public let capacities: CellCapacities
    /// The prediction that sized the cache.
    public let plan: ResidentPlan
    /// Bytes held and kept; see ``CacheLedger``.
    public private(set) var ledger: CacheLedger
    /// What threads did since the cache was last reset.
    public private(set) var times = CacheTimes()

    /// Whether the rule scores queries as they were projected:
    /// ``attend(scale:layer:queries:keys:values:rawQueries:into:observer:)`` then needs them.
    public var wantsRawQueries: Bool { boundaryStep.wantsRawQueries }

    private let boundaryStep: any BoundaryStep
    private let arena: SlotArena
    private let formats: [RowFormat]  // [layer][cell]
    private var layout: CacheLayout
    private var nextScale = 0
    private var nextLayer = 0
    private let meter = AttentionMeter()
    private let scratch = ThreadScratch(countEach: 0)
    private var aside = SlotArena(capacity: CacheExtent(), withMass: false)  // an old region that is in the way
    private let newCounts = ScratchBuffer<Int>()
    private let newStarts = ScratchBuffer<CacheExtent>()
    private let discarded = ScratchBuffer<Float>()
    private let cellSeconds = ScratchBuffer<(attending: Double, retaining: Double)>()

    /// Makes an empty cache.
    ///
    /// `storage` says in which format each cell's slots are kept; attention reads them in place.
    /// Throws ``VernierError/Code/mismatch`` if `capacities`, `storage` or a plan do not belong to the geometry, and
    /// ``VernierError/Code/outOfMemory`` if the plan needs more bytes than an address can count.
    public init(
        geometry: CacheGeometry, capacities: CellCapacities, retention: Retention, storage: CellStorage = .float32
    ) throws {
        self.geometry = geometry
        self.capacities = capacities
        try Self.requireFit(capacities, storage, geometry)
        boundaryStep = try retention.boundaryStep(geometry: geometry, capacities: capacities)
        plan = ResidentPlan(
            capacities: capacities, schedule: geometry.schedule, storage: storage, headWidth: geometry.headWidth,
            branches: geometry.branches)
        let capacity = try Self.capacity(plan, images: geometry.images)
        arena = SlotArena(capacity: capacity, withMass: boundaryStep.accumulatesMass)
        let cells = geometry.sequences * geometry.heads
        formats = (0..<geometry.layers).flatMap { layer in
            (0..<cells).map { cell in
                storage[geometry.branch(ofSequence: cell / geometry.heads), layer, cell % geometry.heads].rowFormat
            }
        }
        layout = CacheLayout(
            capacity: capacity, cellsPerLayer: cells,
            slotBytes: formats.map { 2 * $0.byteCount(width: geometry.headWidth) })
        newCounts.reserve(cells)
        newStarts.reserve(cells)
        cellSeconds.reserve(cells)
        let bookkeeping = SlotArena.bookkeepingBytesPerSlot(withMass: boundaryStep.accumulatesMass)
        ledger = CacheLedger(
            predictedResidentBytes: plan.residentBytes(batch: geometry.images),
            allocatedResidentBytes: arena.capacity.bytes, peakResidentBytes: 0,
            fullCacheBytes: plan.fullCacheBytes(batch: geometry.images), transientBytes: 0,
            bookkeepingBytes: capacity.slots * bookkeeping, keptSlots: [])
        reset()
    }

    /// Makes an empty cache that keeps what `selector` chooses; see ``init(geometry:capacities:retention:storage:)``.
    public convenience init(
        geometry: CacheGeometry, capacities: CellCapacities, selector: any SlotSelector,
        storage: CellStorage = .float32
    ) throws {
        try self.init(geometry: geometry, capacities: capacities, retention: .rule(selector), storage: storage)
    }

    /// Makes an empty cache that keeps the slots of `plan`; see ``init(geometry:capacities:retention:storage:)``.
    public convenience init(
        geometry: CacheGeometry, plan: PoolingPlan, storage: CellStorage = .float32
    ) throws {
        try self.init(geometry: geometry, capacities: plan.capacities, retention: .plan(plan), storage: storage)
    }

    /// What the arena must hold for all images together.
    private static func capacity(_ plan: ResidentPlan, images: Int) throws -> CacheExtent {
        let (bytes, tooManyBytes) = plan.residentBytes().multipliedReportingOverflow(by: images)
        let (slots, tooManySlots) = plan.residentSlots.multipliedReportingOverflow(by: images)
        guard !tooManyBytes, !tooManySlots, bytes < Int.max / 2, slots < Int.max / 16 else {
            throw VernierError(
                .outOfMemory, at: "KV cache", problems: ["the plan needs \(plan.residentBytes()) bytes an image"],
                remedy: "Generate fewer images at once, or compile a smaller budget.")
        }
        return CacheExtent(slots: slots, bytes: bytes)
    }

    private static func requireFit(
        _ capacities: CellCapacities, _ storage: CellStorage, _ geometry: CacheGeometry
    ) throws {
        var problems: [String] = []
        for (word, expected, found) in [
            ("scales", geometry.schedule.scaleCount, capacities.scaleCount),
            ("layers", geometry.layers, capacities.layerCount), ("heads", geometry.heads, capacities.headCount),
        ] where expected != found {
            problems.append("expected capacities for \(expected) \(word), found \(found)")
        }
        if capacities.branchCount != 1 && capacities.branchCount != geometry.branches {
            problems.append(
                "expected capacities for 1 or \(geometry.branches) branches, found \(capacities.branchCount)")
        }
        problems += storage.problems(branches: geometry.branches, layers: geometry.layers, heads: geometry.heads)
        guard problems.isEmpty else {
            throw VernierError(
                .mismatch, at: "KV cache", problems: problems,
                remedy: "Take capacities and storage of a profile of this model.")
        }
    }

    /// Empties the cache for the next image; the memory stays.
    public func reset() {
        nextScale = 0
        nextLayer = 0
        layout.reset()
        times = CacheTimes()
        let cells = geometry.branches * geometry.schedule.scaleCount * geometry.layers * geometry.heads
        ledger.keptSlots = Array(repeating: 0, count: cells)
    }

    /// The history positions that a cell holds now, ascending; of a slot that stands for several, the lowest.
    public func positions(sequence: Int, layer: Int, head: Int) -> [Int32] {
        let slots = slots(layer: layer, cell: sequence * geometry.heads + head)
        return Array(UnsafeBufferPointer(start: slots.positions, count: slots.count))
    }

    /// The keys and values `[slots, D]` that a cell holds now, as they are read.
    public func contents(sequence: Int, layer: Int, head: Int) -> (keys: [Float], values: [Float]) {
        let slots = slots(layer: layer, cell: sequence * geometry.heads + head)
        func rows(_ bytes: UnsafeMutableRawPointer) -> [Float] {
            let floats = FloatBuffer(count: slots.count * slots.width)
            slots.format.decode(bytes, count: slots.count, width: slots.width, into: floats.pointer)
            return floats.array
        }
        return (rows(slots.keys), rows(slots.values))
    }

    /// Attends one layer's current map to its retained history and to itself, then retains what the plan keeps of both.
    ///
    /// `queries`, `keys`, `values` are `[sequences, H, n_k, D]`; the result goes to `output` `[sequences, n_k, H * D]`.
    /// Queries and keys are final: normalised, scaled, rotated. `rawQueries` are the queries before all that and
    /// without bias, in the same shape; only needed if ``wantsRawQueries``.
    /// - Precondition: scales and layers are called in order, from (0, 0) after ``reset()``.
    public func attend(
        scale: Int, layer: Int, queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
        rawQueries: UnsafePointer<Float>? = nil, into output: UnsafeMutablePointer<Float>,
        observer: (any AttentionObserver)? = nil
    ) {
        precondition(scale == nextScale && layer == nextLayer, "scales and layers are called in order")
        if layer == 0 { beginScale() }
        let tokens = geometry.schedule.tokenCount(scale), heads = geometry.heads, width = geometry.headWidth
        let map = LayerMap(
            scale: scale, layer: layer, tokens: tokens, width: width, queries: queries, keys: keys, values: values,
            rawQueries: rawQueries)
        let isLast = scale == geometry.schedule.scaleCount - 1
        let selects = !isLast && boundaryStep.wantsMass
        let rowWeights = selects ? boundaryStep.rowWeights(scale: scale) : nil
        let mostHistory = layout.largestCount(layer: layer)
        let mostKept = isLast ? 0 : planCounts(map)
        reserveScratch(
            tokens: tokens, mostHistory: mostHistory, mostKept: mostKept, signCount: observer?.signCount ?? 0)
        meter.begin(
            scale: scale, sequences: geometry.sequences, cells: layout.cellsPerLayer, queryCount: tokens,
            mostKeys: mostHistory + tokens, measuresMass: selects,
            observer: observer)
        recordKept(scale: scale, layer: layer)

        // A cell is retained right after it attended, in the same piece of parallel work; an observer looks in between.
        let move = isLast || observer != nil ? nil : makeRoom(map)
        Parallel.forEach(parts: layout.cellsPerLayer) { cell in
            let (sequence, head) = (cell / heads, cell % heads), start = CacheTimes.now
            var attention = self.attention(
                map, cell: cell, held: move, output: output + (sequence * tokens * heads + head) * width,
                outputStride: heads * width)
            meter.attach(to: &attention, cell: cell, rowWeights: rowWeights)
            attention.run(scratch: scratch.pointer)
            let between = CacheTimes.now
            if let move { retain(map, cell: cell, held: move) }
            cellSeconds.pointer[cell] = (between - start, move == nil ? 0 : CacheTimes.now - between)
        }
        if let observer {
            observer.observeLayer(
                (0..<layout.cellsPerLayer).map { cell in
                    meter.record(
                        sequence: cell / heads, head: cell % heads, cell: cell,
                        history: slots(layer: layer, cell: cell), map: map)
                })
            // The rule gets its own, weighted mass in a second pass.
            if let rowWeights { remeasure(map, rowWeights: rowWeights) }
        }
        if !isLast {
            if move == nil {
                let move = makeRoom(map)
                Parallel.forEach(parts: layout.cellsPerLayer) { cell in
                    let start = CacheTimes.now
                    retain(map, cell: cell, held: move)
                    cellSeconds.pointer[cell].retaining = CacheTimes.now - start
                }
            }
            settle(layer: layer)
        }
        for cell in 0..<layout.cellsPerLayer {
            times.attendingSeconds += cellSeconds.pointer[cell].attending
            times.retainingSeconds += cellSeconds.pointer[cell].retaining
        }
        advance()
    }

    /// Goes past a layer that is not run at any scale of this image; its cells stay empty.
    /// - Precondition: scales and layers are called in order, as for attention, and the layer holds nothing.
    public func pass(scale: Int, layer: Int) {
        precondition(scale == nextScale && layer == nextLayer, "scales and layers are called in order")
        precondition(layout.largestCount(layer: layer) == 0, "the layer holds nothing")
        if layer == 0 { beginScale() }
        if scale < geometry.schedule.scaleCount - 1 {
            newCounts.pointer.update(repeating: 0, count: layout.cellsPerLayer)
            _ = layout.region(layer: layer, counts: newCounts.pointer, starts: newStarts.pointer)
            settle(layer: layer)
        }
        advance()
    }

    private func advance() {
        nextLayer += 1
        if nextLayer == geometry.layers {
            nextLayer = 0
            nextScale += 1
        }
    }

    // MARK: - Places

    /// The slots that a cell holds now, wherever its layer's region has been moved.
    private func slots(layer: Int, cell: Int, held: HeldRegion? = nil) -> CellSlots {
        (held?.arena ?? arena).cell(
            at: layout.start(layer: layer, cell: cell) - (held?.shift ?? CacheExtent()),
            count: layout.count(layer: layer, cell: cell),
            format: format(layer: layer, cell: cell), width: geometry.headWidth)
    }

    private func format(layer: Int, cell: Int) -> RowFormat { formats[layer * layout.cellsPerLayer + cell] }

    private func beginScale() {
        let move = layout.packRight()
        arena.copy(layout.held, from: arena, at: move.from, to: move.to)
    }

    private func reserveScratch(tokens: Int, mostHistory: Int, mostKept: Int, signCount: Int) {
        let width = geometry.headWidth
        let attending = Attention.scratchCount(
            headWidth: width, historyCount: mostHistory, currentCount: tokens, signCount: signCount)
        let retaining = boundaryStep.scratchBytes(
            history: mostHistory, tokens: tokens, kept: mostKept, width: width)
        scratch.reserve(countEach: max(attending, (retaining + 3) / 4))
    }

    private func recordKept(scale: Int, layer: Int) {
        let heads = geometry.heads
        for branch in 0..<geometry.branches {
            for head in 0..<heads {
                let cell = ((branch * geometry.schedule.scaleCount + scale) * geometry.layers + layer) * heads + head
                ledger.keptSlots[cell] = layout.count(layer: layer, cell: branch * geometry.images * heads + head)
            }
        }
    }

    // MARK: - Attending

    /// One cell's attention: its queries over its retained slots, with their biases, and its current map.
    private func attention(
        _ map: LayerMap, cell: Int, held: HeldRegion? = nil, output: UnsafeMutablePointer<Float>, outputStride: Int
    ) -> Attention {
        let slots = slots(layer: map.layer, cell: cell, held: held), offset = map.offset(cell: cell)
        var attention = Attention(
            queries: map.queries + offset, queryStride: map.width, queryCount: map.tokens, headWidth: map.width,
            output: output, outputStride: outputStride)
        attention.historyKeys = UnsafeRawPointer(slots.keys)
        attention.historyValues = UnsafeRawPointer(slots.values)
        attention.historyFormat = slots.format
        attention.historyBias = UnsafePointer(slots.biases)
        attention.historyCount = slots.count
        attention.currentKeys = map.keys + offset
        attention.currentValues = map.values + offset
        attention.currentCount = map.tokens
        return attention
    }

    /// The rule's own, row-weighted mass, when an observer has taken the all-query mass of the first pass.
    private func remeasure(_ map: LayerMap, rowWeights: UnsafePointer<Float>) {
        let each = map.tokens * map.width
        discarded.reserve(layout.cellsPerLayer * each)
        meter.begin(
            scale: map.scale, sequences: geometry.sequences, cells: layout.cellsPerLayer, queryCount: map.tokens,
            mostKeys: layout.largestCount(layer: map.layer) + map.tokens, measuresMass: true, observer: nil)
        Parallel.forEach(parts: layout.cellsPerLayer) { cell in
            var attention = self.attention(
                map, cell: cell, output: discarded.pointer + cell * each, outputStride: map.width)
            meter.attach(to: &attention, cell: cell, rowWeights: rowWeights)
            attention.run(scratch: scratch.pointer)
        }
    }

    // MARK: - Retaining

    /// Works out how many slots each cell of the layer will hold when the next scale begins; returns the most.
    private func planCounts(_ map: LayerMap) -> Int {
        var most = 0
        for cell in 0..<layout.cellsPerLayer {
            let branch = geometry.branch(ofSequence: cell / geometry.heads), head = cell % geometry.heads
            let count = min(
                capacities[branch, map.scale + 1, map.layer, head],
                layout.count(layer: map.layer, cell: cell) + map.tokens)
            newCounts.pointer[cell] = count
            most = max(most, count)
        }
        return most
    }

    /// Where a layer's slots lie while its new region is written: where they were, or aside.
    private struct HeldRegion {
        let arena: SlotArena
        let shift: CacheExtent
    }

    /// Finds the place of a layer's new region at the left; the old one moves out of the way if they would overlap.
    private func makeRoom(_ map: LayerMap) -> HeldRegion {
        let layer = map.layer
        let region = layout.region(layer: layer, counts: newCounts.pointer, starts: newStarts.pointer)
        guard layout.overlaps(layer: layer, extent: region) else {
            return HeldRegion(arena: arena, shift: CacheExtent())
        }
        let start = layout.start(layer: layer, cell: 0), extent = layout.extent(layer: layer)
        if aside.capacity.slots < extent.slots || aside.capacity.bytes < extent.bytes {
            aside = SlotArena(capacity: extent, withMass: boundaryStep.accumulatesMass)
        }
        aside.copy(extent, from: arena, at: start, to: CacheExtent())
        return HeldRegion(arena: aside, shift: start)
    }

    /// Writes a cell of the layer's new region.
    private func retain(_ map: LayerMap, cell: Int, held: HeldRegion) {
        let heads = geometry.heads, offset = map.offset(cell: cell)
        boundaryStep.carryOut(
            CellBoundary(
                scale: map.scale, sequence: cell / heads, branch: geometry.branch(ofSequence: cell / heads),
                layer: map.layer, head: cell % heads, schedule: geometry.schedule,
                old: slots(layer: map.layer, cell: cell, held: held), tokens: map.tokens,
                firstPosition: Int32(geometry.schedule.historyTokens(map.scale)), queries: map.queries + offset,
                keys: map.keys + offset, values: map.values + offset, rawQueries: map.rawQueries.map { $0 + offset },
                mass: boundaryStep.wantsMass ? meter.mass(cell: cell) : nil,
                new: arena.cell(
                    at: newStarts.pointer[cell], count: newCounts.pointer[cell],
                    format: format(layer: map.layer, cell: cell), width: map.width),
                scratch: ScratchPieces(block: scratch.pointer)))
    }

    /// Counts the layer's new region as held.
    private func settle(layer: Int) {
        layout.settle(layer: layer, counts: newCounts.pointer, starts: newStarts.pointer)
        ledger.peakResidentBytes = max(ledger.peakResidentBytes, layout.held.bytes)
        ledger.transientBytes = max(
            ledger.transientBytes, scratch.byteCount + aside.capacity.bytes + meter.byteCount + discarded.byteCount)
    }
}
