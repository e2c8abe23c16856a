import CalibrationStatistics
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels

/// Turns the attention of one batch into one ``PromptStatistics`` an image.
///
/// Everything is a mean over the queries of a scale (`method.md` section 2). `positionWeight` needs the norm of
/// `W_o^h v_p`: it is `sqrt(v^T M v)` with the Gram matrix `M = W_o^h^T W_o^h`, taken once when position p is in the
/// current map, because under the full cache a value never changes.
///
/// The heads of a layer are spread over threads, the images of a head stay in order: neither the thread count nor the
/// batch changes a bit.
final class StatisticsObserver: AttentionObserver {
    let topCounts: [Int32]
    let images: Int
    private let measurements: [PromptMeasurement]  // [image]
    private let layout: StatisticsLayout
    private let headWidth: Int
    private let finalHistory: Int
    private let grams: DoubleBuffer  // [layer][head][D, D]
    private let valueNorms: DoubleBuffer  // [sequence][layer][head][history position]
    private let projections: ProjectionWeights
    private let room = ThreadScratch(countEach: 0)
    /// Holds the sketches while a batch runs; nil without signs.
    private var sketches: SketchAccumulator?
    private let storage: StorageProbe

    init(layout: StatisticsLayout, stack: TransformerStack, images: Int) {
        self.layout = layout
        self.images = images
        topCounts = layout.topCounts.map(Int32.init)
        headWidth = stack.headWidth
        finalHistory = layout.schedule.finalHistoryTokens
        projections = ProjectionWeights(stack: stack)
        storage = StorageProbe(layout: layout, headWidth: stack.headWidth)
        measurements = (0..<images).map { _ in PromptMeasurement(layout: layout) }
        valueNorms = DoubleBuffer(count: images * layout.headRowCount * layout.schedule.finalHistoryTokens)
        grams = DoubleBuffer(count: layout.layers * layout.heads * stack.headWidth * stack.headWidth)
        for layer in 0..<layout.layers {
            projections.addGrams(
                layer: layer, to: grams.pointer + layer * layout.heads * stack.headWidth * stack.headWidth)
        }
    }

    /// Forgets the last batch and expects the next, whose first `probed` images are stored in narrower formats too; its
    /// sketches go to `sketches`.
    func begin(sketches: SketchAccumulator?, probed: Int) {
        self.sketches = sketches
        storage.begin(images: images, probed: probed)
        for measurement in measurements { measurement.reset() }
    }

    /// The statistics of an image of the batch.
    func statistics(image: Int) -> PromptStatistics { measurements[image].statistics }

    /// What narrower storage did to an image of the batch; nil unless it was probed.
    func storageErrors(image: Int) -> StorageErrors? { storage.errors(image: image) }

    var signCount: Int { sketches?.signCount ?? 0 }

    func signs(sequence: Int, scale: Int) -> UnsafePointer<Float>? {
        sketches?.querySigns(image: sequence % images, scale: scale)
    }

    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {
        sketches?.observeGate(gate, weights: projections, sequence: sequence, layer: layer)
        storage.observeGate(gate, weights: projections, sequence: sequence, layer: layer)
    }

    func observe(_ record: AttentionRecord) { observeLayer([record]) }

    func observeLayer(_ records: [AttentionRecord]) {
        let norms = 2 * Kernels.quadraticFormRoom(width: headWidth)  // float64 in a block of float32
        room.reserve(countEach: max(norms, sketches?.roomCount(for: records) ?? 0))
        storage.reserve(for: records)
        // The records of a head, in the order of the images.
        let heads = Dictionary(grouping: records) { $0.sequence / images * layout.heads + $0.head }
            .sorted { $0.key < $1.key }.map(\.value)
        func measure(_ sums: SketchAccumulator.Sums?) {
            Parallel.forEach(parts: heads.count) { part in
                for record in heads[part] {
                    measureMasses(record)
                    measureValues(record)
                    storage.measure(record)
                }
                guard let sums, let first = heads[part].first else { return }
                sketches?.add(heads[part], branch: first.sequence / images, to: sums, room: room.pointer)
            }
        }
        if let sketches { sketches.withSums { measure($0) } } else { measure(nil) }
    }

    /// Counts what the columns of one head's attention hold.
    private func measureMasses(_ record: AttentionRecord) {
        let branch = record.sequence / images, place = measurements[record.sequence % images]
        let (layer, head, scale, history) = (record.layer, record.head, record.scale, record.historyCount)
        let queries = Double(record.queryCount), mass = record.columnMass
        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
        func sum(_ columns: Range<Int>) -> Double { columns.reduce(0) { $0 + mass[$1] } }
        place.currentMass[cell] = sum(history..<mass.count) / queries
        place.rowEntropy[cell] = record.entropy / queries
        place.columnVariance[cell] = Self.variance(mass, queries: queries)
        for index in record.topMass.indices {
            place.topMass[cell * topCounts.count + index] = record.topMass[index] / queries
        }
        for source in 0..<scale {
            let first = layout.schedule.historyTokens(source)
            place.sourceMass[cell * layout.scaleCount + source] =
                sum(first..<(first + layout.schedule.tokenCount(source))) / queries
        }
        let first = layout.positions(branch: branch, layer: layer, head: head, scale: scale).lowerBound
        let norms = norms(of: record), shares = place.positionMass + first, weights = place.positionWeight + first
        for position in 0..<history {
            let share = mass[position] / queries
            shares[position] = share
            weights[position] = share * norms[position]
        }
    }

    /// Takes the norms of the map's values, for the scales to come.
    private func measureValues(_ record: AttentionRecord) {
        guard record.scale < layout.scaleCount - 1 else { return }
        let norms = norms(of: record) + layout.schedule.historyTokens(record.scale), size = headWidth * headWidth
        room.pointer.withMemoryRebound(
            to: Double.self, capacity: Kernels.quadraticFormRoom(width: headWidth)
        ) { room in
            Kernels.quadraticForms(
                record.currentValues, rows: record.queryCount, width: headWidth,
                matrix: grams.pointer + (record.layer * layout.heads + record.head) * size, into: norms, room: room)
        }
        for token in 0..<record.queryCount { norms[token] = max(norms[token], 0).squareRoot() }
    }

    /// The norms of a head's values, by history position.
    private func norms(of record: AttentionRecord) -> UnsafeMutablePointer<Double> {
        valueNorms.pointer
            + ((record.sequence * layout.layers + record.layer) * layout.heads + record.head) * finalHistory
    }

    /// Population variance of the column means.
    private static func variance(_ mass: UnsafeBufferPointer<Double>, queries: Double) -> Double {
        let count = Double(mass.count)
        var sum = 0.0
        for value in mass { sum += value / queries }
        let mean = sum / count
        var squares = 0.0
        for value in mass {
            let difference = value / queries - mean
            squares += difference * difference
        }
        return squares / count
    }
}
