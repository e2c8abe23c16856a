import TensorKernels

/// What is measured while one layer attends: the mass that the retention wants, and all that an observer wants.
///
/// One set of buffers serves all layers and scales. Each cell writes its own part, on any thread.
final class AttentionMeter {
    private let mass = ScratchBuffer<Double>()  // [cell][widest row of keys]
    private let entropies = ScratchBuffer<Double>()  // [cell]
    private let topMass = ScratchBuffer<Double>()  // [cell][count K']
    private let topCounts = ScratchBuffer<Int32>()
    private let probabilities = ScratchBuffer<Float>()  // [cell][query][key]
    private let sketches = SketchBuffers()
    private var stride = 0  // keys of the widest cell
    private var queryCount = 0
    private var topCountCount = 0
    private var measuresMass = false
    private var observes = false
    private var wantsProbabilities = false

    /// Bytes held.
    var byteCount: Int {
        mass.byteCount + entropies.byteCount + topMass.byteCount + topCounts.byteCount + probabilities.byteCount
            + sketches.byteCount
    }

    /// Makes room for a layer of `cells` cells, `queryCount` queries of a scale each over at most `mostKeys` keys.
    func begin(
        scale: Int, sequences: Int, cells: Int, queryCount: Int, mostKeys: Int, measuresMass: Bool,
        observer: (any AttentionObserver)?
    ) {
        stride = mostKeys
        self.queryCount = queryCount
        self.measuresMass = measuresMass || observer != nil
        observes = observer != nil
        wantsProbabilities = observer?.wantsProbabilities ?? false
        if self.measuresMass { mass.reserve(cells * stride) }
        sketches.begin(
            for: observer, scale: scale, sequences: sequences, cells: cells, mostHistory: mostKeys - queryCount)
        guard let observer else { return }
        let counts = observer.topCounts
        topCountCount = counts.count
        topCounts.reserve(counts.count)
        topCounts.pointer.update(from: counts, count: counts.count)
        entropies.reserve(cells)
        entropies.pointer.update(repeating: 0, count: cells)
        topMass.reserve(cells * counts.count)
        topMass.pointer.update(repeating: 0, count: cells * counts.count)
        if wantsProbabilities { probabilities.reserve(cells * queryCount * stride) }
    }

    /// Points the measurements of one cell's attention at their places. Rows count by `rowWeights` (nil: 1) unless an
    /// observer is there: it needs every query.
    func attach(to attention: inout Attention, cell: Int, rowWeights: UnsafePointer<Float>?) {
        guard measuresMass else { return }
        let own = massOfCell(cell)
        own.update(repeating: 0, count: stride)
        attention.columnMass = own
        guard observes else {
            attention.rowWeights = rowWeights
            return
        }
        attention.entropy = entropies.pointer + cell
        attention.topCounts = UnsafePointer(topCounts.pointer)
        attention.topCountCount = topCountCount
        attention.topMass = topMass.pointer + cell * topCountCount
        sketches.attach(to: &attention, cell: cell)
        if wantsProbabilities { attention.probabilities = probabilities.pointer + cell * queryCount * stride }
    }

    /// `[keys]` mass of one cell: what the last attention attached to it has measured.
    func mass(cell: Int) -> UnsafePointer<Double>? { measuresMass ? UnsafePointer(massOfCell(cell)) : nil }

    /// What one cell's attention showed, for the observer that was there.
    func record(sequence: Int, head: Int, cell: Int, history: CellSlots, map: LayerMap) -> AttentionRecord {
        let historyCount = history.count, keyCount = historyCount + queryCount
        var record = AttentionRecord(
            sequence: sequence, layer: map.layer, head: head, scale: map.scale, queryCount: queryCount,
            historyCount: historyCount,
            columnMass: UnsafeBufferPointer(start: massOfCell(cell), count: keyCount),
            topMass: UnsafeBufferPointer(start: topMass.pointer + cell * topCountCount, count: topCountCount),
            entropy: entropies.pointer[cell], queries: map.queries + map.offset(cell: cell),
            currentKeys: map.keys + map.offset(cell: cell), currentValues: map.values + map.offset(cell: cell),
            probabilities: wantsProbabilities
                ? UnsafeBufferPointer(
                    start: probabilities.pointer + cell * queryCount * stride, count: queryCount * keyCount) : nil,
            attentionSketch: sketches.attention(cell: cell, historyCount: historyCount),
            keySketch: sketches.keys(cell: cell, historyCount: historyCount))
        if let rows = history.plainRows { (record.historyKeys, record.historyValues) = rows }
        return record
    }

    private func massOfCell(_ cell: Int) -> UnsafeMutablePointer<Double> { mass.pointer + cell * stride }
}
