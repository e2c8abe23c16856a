import TensorKernels

/// Room for the sketches of one layer's map, `[cell][attention, keys][history, R]`, and the signs they are made with.
final class SketchBuffers {
    private let values = ScratchBuffer<Float>()
    private var signs: [UnsafePointer<Float>] = []  // one a sequence; empty: no sketches
    private var signCount = 0
    private var cellsPerSequence = 1
    private var mostHistory = 0

    /// Bytes held.
    var byteCount: Int { values.byteCount }

    /// Makes room for the cells of a layer, if the observer wants sketches and there is a history.
    func begin(for observer: (any AttentionObserver)?, scale: Int, sequences: Int, cells: Int, mostHistory: Int) {
        signs = []
        guard let observer, observer.signCount > 0, mostHistory > 0 else { return }
        let found = (0..<sequences).compactMap { observer.signs(sequence: $0, scale: scale) }
        guard found.count == sequences else { return }
        signs = found
        signCount = observer.signCount
        cellsPerSequence = cells / max(sequences, 1)
        self.mostHistory = mostHistory
        values.reserve(2 * cells * mostHistory * signCount)
    }

    /// Lets the attention of a cell write its sketches here.
    func attach(to attention: inout Attention, cell: Int) {
        guard !signs.isEmpty else { return }
        attention.sketch(
            signs: signs[cell / cellsPerSequence], count: signCount, attention: start(2 * cell),
            keys: start(2 * cell + 1))
    }

    /// The sketch `[history, R]` of a cell's attention; nil if none was asked for.
    func attention(cell: Int, historyCount: Int) -> UnsafeBufferPointer<Float>? {
        signs.isEmpty ? nil : UnsafeBufferPointer(start: start(2 * cell), count: historyCount * signCount)
    }

    /// The sketch `[history, R]` of a cell's keys; nil if none was asked for.
    func keys(cell: Int, historyCount: Int) -> UnsafeBufferPointer<Float>? {
        signs.isEmpty ? nil : UnsafeBufferPointer(start: start(2 * cell + 1), count: historyCount * signCount)
    }

    private func start(_ part: Int) -> UnsafeMutablePointer<Float> { values.pointer + part * mostHistory * signCount }
}
