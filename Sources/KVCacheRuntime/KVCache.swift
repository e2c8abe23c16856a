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

        Parallel.forEach(parts: layout.cellsPerLayer) { cell in
            let (sequence, head) = (cell / heads, cell % heads)
            var attention = self.attention(
                map, cell: cell, output: output + (sequence * tokens * heads + head) * width,
                outputStride: heads * width)
            meter.attach(to: &attention, cell: cell, rowWeights: rowWeights)
            attention.run(scratch: scratch.pointer)
        }
        if let observer {
            for cell in 0..<layout.cellsPerLayer {
                meter.report(
                    to: observer, sequence: cell / heads, head: cell % heads, cell: cell,
                    history: slots(layer: layer, cell: cell), map: map)
            }
            // The rule gets its own, weighted mass in a second pass.
            if let rowWeights { remeasure(map, rowWeights: rowWeights) }
        }
        if !isLast { retain(map) }
        nextLayer += 1
        if nextLayer == geometry.layers {
            nextLayer = 0
            nextScale += 1
        }
    }

    // MARK: - Places

    /// The slots that a cell holds now.
    private func slots(layer: Int, cell: Int) -> CellSlots {
        arena.cell(
            at: layout.start(layer: layer, cell: cell), count: layout.count(layer: layer, cell: cell),
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
        _ map: LayerMap, cell: Int, output: UnsafeMutablePointer<Float>, outputStride: Int
    ) -> Attention {
        let slots = slots(layer: map.layer, cell: cell), offset = map.offset(cell: cell)
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

    /// Writes the layer's new region at the left.
    private func retain(_ map: LayerMap) {
        let layer = map.layer, heads = geometry.heads, cells = layout.cellsPerLayer
        let region = layout.region(layer: layer, counts: newCounts.pointer, starts: newStarts.pointer)
        // The old region moves out of the way if the new one would run into it.
        let oldStart = layout.start(layer: layer, cell: 0), oldExtent = layout.extent(layer: layer)
        let moves = layout.overlaps(layer: layer, extent: region)
        if moves {
            if aside.capacity.slots < oldExtent.slots || aside.capacity.bytes < oldExtent.bytes {
                aside = SlotArena(capacity: oldExtent, withMass: boundaryStep.accumulatesMass)
            }
            aside.copy(oldExtent, from: arena, at: oldStart, to: CacheExtent())
        }
        let source = moves ? aside : arena, shift = moves ? oldStart : CacheExtent()
        let firstPosition = Int32(geometry.schedule.historyTokens(map.scale))
        Parallel.forEach(parts: cells) { cell in
            let offset = map.offset(cell: cell), format = self.format(layer: layer, cell: cell)
            boundaryStep.carryOut(
                CellBoundary(
                    scale: map.scale, sequence: cell / heads, branch: geometry.branch(ofSequence: cell / heads),
                    layer: layer, head: cell % heads, schedule: geometry.schedule,
                    old: source.cell(
                        at: layout.start(layer: layer, cell: cell) - shift,
                        count: layout.count(layer: layer, cell: cell), format: format, width: map.width),
                    tokens: map.tokens, firstPosition: firstPosition, queries: map.queries + offset,
                    keys: map.keys + offset, values: map.values + offset,
                    rawQueries: map.rawQueries.map { $0 + offset },
                    mass: boundaryStep.wantsMass ? meter.mass(cell: cell) : nil,
                    new: arena.cell(
                        at: newStarts.pointer[cell], count: newCounts.pointer[cell], format: format, width: map.width),
                    scratch: ScratchPieces(block: scratch.pointer)))
        }
        layout.settle(layer: layer, counts: newCounts.pointer, starts: newStarts.pointer)
        ledger.peakResidentBytes = max(ledger.peakResidentBytes, layout.held.bytes)
        ledger.transientBytes = max(
            ledger.transientBytes, scratch.byteCount + aside.capacity.bytes + meter.byteCount + discarded.byteCount)
    }
}
