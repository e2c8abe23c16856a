/// Where every cell's slots lie in the arena while a generation runs.
///
/// While scale k runs, layers that have finished it lie packed at the left in their new size, layers that have not lie
/// packed at the right in their old size, and the gap between them is what the next layer may grow into. So the arena
/// never needs more than the largest step of the plan.
struct CacheLayout {
    /// Cells of one layer: sequences times heads.
    let cellsPerLayer: Int
    /// Slots and bytes that all cells hold now.
    private(set) var held = CacheExtent()
    /// Where the next layer's new region begins.
    private(set) var leftEnd = CacheExtent()
    private let capacity: CacheExtent
    private let slotBytes: [Int]  // [layer][cell] bytes of one slot
    private var starts: [CacheExtent]  // [layer][cell]
    private var counts: [Int]  // [layer][cell] slots held now

    /// An empty cache; `slotBytes` are the bytes of one slot of each cell, `[layer][cell]`.
    init(capacity: CacheExtent, cellsPerLayer: Int, slotBytes: [Int]) {
        self.capacity = capacity
        self.cellsPerLayer = cellsPerLayer
        self.slotBytes = slotBytes
        starts = Array(repeating: capacity, count: slotBytes.count)
        counts = Array(repeating: 0, count: slotBytes.count)
    }

    /// Forgets all slots.
    mutating func reset() {
        held = CacheExtent()
        leftEnd = CacheExtent()
        for index in starts.indices {
            starts[index] = capacity
            counts[index] = 0
        }
    }

    /// Slots that a cell holds now.
    func count(layer: Int, cell: Int) -> Int { counts[layer * cellsPerLayer + cell] }

    /// Where a cell begins.
    func start(layer: Int, cell: Int) -> CacheExtent { starts[layer * cellsPerLayer + cell] }

    /// The most slots that a cell of the layer holds now.
    func largestCount(layer: Int) -> Int { cells(layer).reduce(0) { max($0, counts[$1]) } }

    /// Slots and bytes that a layer holds now; they lie together from its first cell on.
    func extent(layer: Int) -> CacheExtent {
        cells(layer).reduce(CacheExtent()) { $0 + extent(of: $1, count: counts[$1]) }
    }

    /// Packs everything at the right end, which frees the left for the first layer's new region. Returns where the
    /// slots lay and where they must go.
    mutating func packRight() -> (from: CacheExtent, to: CacheExtent) {
        let from = starts[0], to = capacity - held, shift = to - from
        for index in starts.indices { starts[index] += shift }
        leftEnd = CacheExtent()
        return (from, to)
    }

    /// Whether a new region of `extent` for `layer` would run into its old one.
    func overlaps(layer: Int, extent: CacheExtent) -> Bool {
        let end = leftEnd + extent, old = start(layer: layer, cell: 0)
        return counts[cells(layer)].contains { $0 > 0 } && (end.slots > old.slots || end.bytes > old.bytes)
    }

    /// The extent of a region in which the layer's cells hold `newCounts` slots, and where each cell begins in it.
    func region(layer: Int, counts newCounts: UnsafePointer<Int>, starts: UnsafeMutablePointer<CacheExtent>)
        -> CacheExtent
    {
        var extent = CacheExtent()
        for cell in 0..<cellsPerLayer {
            starts[cell] = leftEnd + extent
            extent += self.extent(of: layer * cellsPerLayer + cell, count: newCounts[cell])
        }
        return extent
    }

    /// Records that the layer's new region, as ``region(layer:counts:starts:)`` laid it out, has been written.
    mutating func settle(
        layer: Int, counts newCounts: UnsafePointer<Int>, starts newStarts: UnsafePointer<CacheExtent>
    ) {
        let old = extent(layer: layer)
        for cell in 0..<cellsPerLayer {
            counts[layer * cellsPerLayer + cell] = newCounts[cell]
            starts[layer * cellsPerLayer + cell] = newStarts[cell]
        }
        let new = extent(layer: layer)
        held = held - old + new
        leftEnd += new
    }

    private func cells(_ layer: Int) -> Range<Int> { layer * cellsPerLayer..<(layer + 1) * cellsPerLayer }

    private func extent(of index: Int, count: Int) -> CacheExtent {
        CacheExtent(slots: count, bytes: count * slotBytes[index])
    }
}
