import CalibrationStatistics
import KVCacheRuntime
import ProfileFormat
import TensorKernels
import VernierCore

/// Attends again with the history stored in narrower formats and measures how far the residual stream moves.
///
/// The error of a query is `norm2(gamma1 * W_o^h d)^2 = d^T M d` with `M = W_o^h^T gamma1^2 W_o^h`, in Float64; d, the
/// difference of the two attention outputs, comes from the kernel that serves the runtime. Each head is measured on one
/// thread, its queries in order, so that neither the batch nor the thread count changes a bit.
final class StorageProbe {
    /// The formats that are measured.
    static let formats: [StorageFormat] = [.bfloat16, .int8, .int4]
    /// Queries whose outputs are held at a time; a multiple of the kernel's tile of 12.
    private static let queriesAtATime = 192

    private let layout: StatisticsLayout
    private let width: Int  // D
    private var images = 0
    private var probed = 0
    private var metrics: [DoubleBuffer?] = []  // [sequence][layer] -> [H, D, D]; nil: not probed
    private var measured = DoubleBuffer(count: 0)  // [image][format][cell]
    private let scratch = ThreadScratch(countEach: 0)

    /// Where a thread keeps what it needs for one head, in numbers of float32 from the start of its block.
    private struct Room {
        let outputs: Int  // [2][query][D]
        let forms: Int  // Float64: [query], and what they are worked out in
        let stored: [(keys: Int, values: Int)]  // [format], bytes
        let count: Int

        init(history: Int, queries: Int, width: Int) {
            var next = 0
            func take(_ count: Int) -> Int {
                defer { next += (count + 15) & ~15 }
                return next
            }
            _ = take(Attention.scratchCount(headWidth: width, historyCount: history, currentCount: queries))
            outputs = take(2 * queriesAtATime * width)
            forms = take(2 * (queriesAtATime + Kernels.quadraticFormRoom(width: width)))
            stored = formats.map {
                let count = ($0.rowFormat.byteCount(width: width) * history + 3) / 4
                return (take(count), take(count))
            }
            count = next
        }
    }

    init(layout: StatisticsLayout, headWidth: Int) {
        self.layout = layout
        width = headWidth
    }

    /// Forgets the last batch and expects one of so many images, the first `probed` of which are measured.
    func begin(images: Int, probed: Int) {
        (self.images, self.probed) = (images, probed)
        metrics = Array(repeating: nil, count: probed > 0 ? images * layout.branches * layout.layers : 0)
        measured = DoubleBuffer(count: probed * Self.formats.count * layout.cellCount)
    }

    /// Works out M for every head of a layer.
    func observeGate(_ gate: UnsafeBufferPointer<Float>, weights: ProjectionWeights, sequence: Int, layer: Int) {
        guard probed > 0, sequence % images < probed else { return }
        let metric = DoubleBuffer(count: layout.heads * width * width)
        gate.map { Double($0) * Double($0) }.withUnsafeBufferPointer {
            weights.addGrams(layer: layer, factors: $0.baseAddress, to: metric.pointer)
        }
        metrics[sequence * layout.layers + layer] = metric
    }

    /// Makes room for records; not on several threads.
    func reserve(for records: [AttentionRecord]) {
        guard probed > 0 else { return }
        let history = records.map(\.historyCount).max() ?? 0, queries = records.map(\.queryCount).max() ?? 0
        scratch.reserve(countEach: Room(history: history, queries: queries, width: width).count)
    }

    /// Measures the mean error over the queries of one head's attention, for each of ``formats``; nothing without history,
    /// or if the image is not probed.
    func measure(_ record: AttentionRecord) {
        let image = record.sequence % images
        guard image < probed, let keys = record.historyKeys, let values = record.historyValues,
            let metric = metrics[record.sequence * layout.layers + record.layer]
        else { return }
        let queries = record.queryCount, room = Room(history: record.historyCount, queries: queries, width: width)
        let block = scratch.pointer
        for (format, place) in zip(Self.formats, room.stored) {
            for (rows, start) in [(keys, place.keys), (values, place.values)] {
                format.rowFormat.encode(
                    rows, count: record.historyCount, width: width, into: UnsafeMutableRawPointer(block + start))
            }
        }
        var sums = Self.formats.map { _ in 0.0 }
        for first in stride(from: 0, to: queries, by: Self.queriesAtATime) {
            let range = first..<min(first + Self.queriesAtATime, queries)
            let exact = block + room.outputs, narrow = exact + Self.queriesAtATime * width
            attend(record, range, .float32, UnsafeRawPointer(keys), UnsafeRawPointer(values), to: exact)
            for (index, format) in Self.formats.enumerated() {
                let place = room.stored[index]
                attend(
                    record, range, format, UnsafeRawPointer(block + place.keys),
                    UnsafeRawPointer(block + place.values), to: narrow)
                let capacity = range.count + Kernels.quadraticFormRoom(width: width)
                (block + room.forms).withMemoryRebound(to: Double.self, capacity: capacity) { forms in
                    Kernels.quadraticForms(
                        narrow, minus: exact, rows: range.count, width: width,
                        matrix: metric.pointer + record.head * width * width, into: forms, room: forms + range.count)
                    for query in 0..<range.count { sums[index] += max(forms[query], 0) }
                }
            }
        }
        let cell = layout.cell(
            branch: record.sequence / images, layer: record.layer, head: record.head, scale: record.scale)
        for (index, sum) in sums.enumerated() {
            measured.pointer[(image * Self.formats.count + index) * layout.cellCount + cell] = sum / Double(queries)
        }
    }

    /// What was measured of an image; nil if it is not probed.
    func errors(image: Int) -> StorageErrors? {
        guard image < probed else { return nil }
        let cells = layout.cellCount
        return StorageErrors(
            values: Self.formats.indices.map {
                let start = measured.pointer + (image * Self.formats.count + $0) * cells
                return Array(UnsafeBufferPointer(start: start, count: cells))
            })
    }

    /// Attends some of the queries, with the history in `format`.
    private func attend(
        _ record: AttentionRecord, _ range: Range<Int>, _ format: StorageFormat, _ keys: UnsafeRawPointer,
        _ values: UnsafeRawPointer, to output: UnsafeMutablePointer<Float>
    ) {
        var attention = Attention(
            queries: record.queries + range.lowerBound * width, queryStride: width, queryCount: range.count,
            headWidth: width, output: output, outputStride: width)
        attention.arithmetic = .float32  // its rounding would hide what the storage's costs
        attention.historyKeys = keys
        attention.historyValues = values
        attention.historyFormat = format.rowFormat
        attention.historyCount = record.historyCount
        attention.currentKeys = record.currentKeys
        attention.currentValues = record.currentValues
        attention.currentCount = record.queryCount
        attention.run(scratch: scratch.pointer)
    }
}
