import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels

/// Attends again with the history stored in narrower formats and measures how far the residual stream moves.
///
/// The error of a query is `norm2(gamma1 * W_o^h d)^2 = d^T M d` with `M = W_o^h^T gamma1^2 W_o^h`, in Float64; d, the
/// difference of the two attention outputs, comes from the kernel that serves the runtime. Queries are taken in pieces
/// of a fixed size, so that neither the batch nor the thread count changes a bit.
final class StorageProbe {
    /// The formats that are measured.
    static let formats: [StorageFormat] = [.bfloat16, .int8, .int4]
    /// Queries that one thread takes at a time; a multiple of the kernel's tile of 12.
    private static let queriesPerPart = 192

    private let stack: TransformerStack
    private let layers: Int
    private let heads: Int
    private let width: Int  // D
    private var metrics: [[Double]] = []  // [sequence][layer][head] -> [D, D]; empty: not probed
    private let scratch = ThreadScratch(countEach: 0)
    private var stored: [(keys: FloatBuffer, values: FloatBuffer)]  // [format], bytes
    private var outputs = FloatBuffer(count: 0)  // [1 + format][query][D]

    init(stack: TransformerStack) {
        self.stack = stack
        layers = stack.depth
        heads = stack.heads
        width = stack.headWidth
        stored = Self.formats.map { _ in (FloatBuffer(count: 0), FloatBuffer(count: 0)) }
    }

    /// Forgets the last batch and expects one of so many sequences.
    func begin(sequences: Int) { metrics = Array(repeating: [], count: sequences * layers * heads) }

    /// Works out M for every head of a layer.
    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {
        let weight = stack.attentionProjectionWeight(layer: layer), d = width, row = heads * d
        for head in 0..<heads {
            var metric = [Double](repeating: 0, count: d * d)
            metric.withUnsafeMutableBufferPointer { metric in
                weight.withUnsafeBufferPointer { weight in
                    for channel in 0..<row {
                        let start = channel * row + head * d, factor = Double(gate[channel]) * Double(gate[channel])
                        for i in 0..<d {
                            let left = factor * Double(weight[start + i])
                            for j in 0..<d { metric[i * d + j] += left * Double(weight[start + j]) }
                        }
                    }
                }
            }
            metrics[(sequence * layers + layer) * heads + head] = metric
        }
    }

    /// The mean error over the queries of one head's attention, for each of ``formats``; zeros without history.
    func errors(of record: AttentionRecord) -> [Double] {
        let metric = metrics[(record.sequence * layers + record.layer) * heads + record.head]
        let formats = Self.formats, queries = record.queryCount
        guard let keys = record.historyKeys, let values = record.historyValues, !metric.isEmpty else {
            return Array(repeating: 0, count: formats.count)
        }
        for (index, format) in formats.enumerated() {
            let count = (format.rowFormat.byteCount(width: width) * record.historyCount + 3) / 4
            if stored[index].keys.count < count {
                stored[index] = (FloatBuffer(count: count), FloatBuffer(count: count))
            }
            for (rows, place) in [(keys, stored[index].keys), (values, stored[index].values)] {
                format.rowFormat.encode(
                    rows, count: record.historyCount, width: width, into: UnsafeMutableRawPointer(place.pointer))
            }
        }
        if outputs.count < (1 + formats.count) * queries * width {
            outputs = FloatBuffer(count: (1 + formats.count) * queries * width)
        }
        scratch.reserve(
            countEach: Attention.scratchCount(
                headWidth: width, historyCount: record.historyCount, currentCount: queries))
        var all = [Double](repeating: 0, count: formats.count * queries)  // [format][query]
        let pieces = (queries + Self.queriesPerPart - 1) / Self.queriesPerPart
        all.withUnsafeMutableBufferPointer { all in
            Parallel.forEach(parts: pieces) { piece in
                let first = piece * Self.queriesPerPart, range = first..<min(first + Self.queriesPerPart, queries)
                attend(record, range, format: .float32, UnsafeRawPointer(keys), UnsafeRawPointer(values), to: 0)
                for (index, format) in formats.enumerated() {
                    attend(
                        record, range, format: format, UnsafeRawPointer(stored[index].keys.pointer),
                        UnsafeRawPointer(stored[index].values.pointer), to: 1 + index)
                    for query in range {
                        all[index * queries + query] = error(
                            outputs.pointer + query * width,
                            outputs.pointer + ((1 + index) * queries + query) * width, metric)
                    }
                }
            }
        }
        return formats.indices.map { index in
            all[index * queries..<(index + 1) * queries].reduce(0, +) / Double(queries)
        }
    }

    /// Attends some of the queries, with the history in `format`.
    private func attend(
        _ record: AttentionRecord, _ range: Range<Int>, format: StorageFormat, _ keys: UnsafeRawPointer,
        _ values: UnsafeRawPointer, to place: Int
    ) {
        var attention = Attention(
            queries: record.queries + range.lowerBound * width, queryStride: width, queryCount: range.count,
            headWidth: width,
            output: outputs.pointer + (place * record.queryCount + range.lowerBound) * width, outputStride: width)
        attention.historyKeys = keys
        attention.historyValues = values
        attention.historyFormat = format.rowFormat
        attention.historyCount = record.historyCount
        attention.currentKeys = record.currentKeys
        attention.currentValues = record.currentValues
        attention.currentCount = record.queryCount
        attention.run(scratch: scratch.pointer)
    }

    /// `d^T M d` for the difference d of two outputs.
    private func error(_ one: UnsafePointer<Float>, _ other: UnsafePointer<Float>, _ metric: [Double]) -> Double {
        let d = width
        return metric.withUnsafeBufferPointer { metric in
            var sum = 0.0
            for i in 0..<d {
                var row = 0.0
                for j in 0..<d { row += metric[i * d + j] * (Double(other[j]) - Double(one[j])) }
                sum += (Double(other[i]) - Double(one[i])) * row
            }
            return max(sum, 0)
        }
    }
}
