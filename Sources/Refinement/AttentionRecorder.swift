import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels

/// Records queries, keys and values of some layers while a batch runs with the full cache.
final class AttentionRecorder: AttentionObserver {
    let topCounts: [Int32] = []
    /// `[sequence][layer - first][head]`.
    private(set) var heads: [RecordedHead] = []
    let layers: Range<Int>
    private let stack: TransformerStack
    private let headCount: Int
    private let width: Int
    private let tokens: Int
    private let schedule: ScaleSchedule

    init(stack: TransformerStack, layers: Range<Int>) {
        self.stack = stack
        self.layers = layers
        headCount = stack.heads
        width = stack.headWidth
        schedule = stack.schedule
        tokens = schedule.grids.reduce(0) { $0 + $1.tokenCount }
    }

    /// Expects a batch of `sequences`.
    func begin(sequences: Int) {
        let empty = Matrix(rows: tokens, columns: width)
        heads = Array(
            repeating: RecordedHead(
                queries: empty, keys: empty, values: empty, metric: Matrix(rows: width, columns: width)),
            count: sequences * layers.count * headCount)
    }

    private func index(_ sequence: Int, _ layer: Int, _ head: Int) -> Int {
        (sequence * layers.count + layer - layers.lowerBound) * headCount + head
    }

    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {
        guard layers.contains(layer) else { return }
        let weight = stack.attentionProjectionWeight(layer: layer), channels = gate.count
        for head in 0..<headCount {
            var gram = [Double](repeating: 0, count: width * width)
            for channel in 0..<channels {
                let row = channel * channels + head * width, square = Double(gate[channel]) * Double(gate[channel])
                for i in 0..<width {
                    let left = square * Double(weight[row + i])
                    for j in 0...i { gram[i * width + j] += left * Double(weight[row + j]) }
                }
            }
            // A part in 1e8 of the mean keeps a gram of low rank definite.
            let mean = (0..<width).reduce(0) { $0 + gram[$1 * width + $1] } / Double(width)
            for i in 0..<width { gram[i * width + i] += 1e-8 * mean + 1e-30 }
            if let factor = CholeskyFactor(gram, order: width) {
                heads[index(sequence, layer, head)].metric.values = factor.lower.map { Float($0) }
            }
        }
    }

    func observe(_ record: AttentionRecord) {
        guard layers.contains(record.layer) else { return }
        let start = schedule.historyTokens(record.scale) * width, count = record.queryCount * width
        let place = index(record.sequence, record.layer, record.head)
        func copy(_ from: UnsafePointer<Float>, _ to: inout [Float]) {
            to.withUnsafeMutableBufferPointer { to in
                if let base = to.baseAddress { (base + start).update(from: from, count: count) }
            }
        }
        copy(record.queries, &heads[place].queries.values)
        copy(record.currentKeys, &heads[place].keys.values)
        copy(record.currentValues, &heads[place].values.values)
    }
}
