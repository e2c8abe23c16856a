import ProfileFormat
import TensorKernels

/// One cell at a scale boundary: what it held, what the scale just finished brought, and the slots to be written.
struct CellBoundary {
    /// The scale just finished (0-based), and the cell.
    let scale: Int
    let sequence: Int
    let branch: Int
    let layer: Int
    let head: Int
    let schedule: ScaleSchedule
    /// The slots held so far; they do not overlap ``new``.
    let old: CellSlots
    /// n_k tokens: queries, keys and values `[n_k, D]`, and the history position of the first.
    let tokens: Int
    let firstPosition: Int32
    let queries: UnsafePointer<Float>
    let keys: UnsafePointer<Float>
    let values: UnsafePointer<Float>
    /// Queries `[n_k, D]` before bias, normalisation and rotation; nil unless ``BoundaryStep/wantsRawQueries``.
    let rawQueries: UnsafePointer<Float>?
    /// `[old slots + n_k]` attention mass from the queries of this scale; nil if nobody asked for it.
    let mass: UnsafePointer<Double>?
    /// The slots to write: as many as the cell's capacity, or all sources if they are fewer.
    let new: CellSlots
    /// Working memory of this thread, at least ``BoundaryStep/scratchBytes(history:tokens:kept:width:)``.
    let scratch: ScratchPieces

    /// Old slots and new tokens, in this order.
    var sourceCount: Int { old.count + tokens }

    /// The float32 rows of one new token.
    func newKey(_ token: Int) -> UnsafePointer<Float> { keys + token * new.width }
    func newValue(_ token: Int) -> UnsafePointer<Float> { values + token * new.width }

    /// The lowest history position of source `index`.
    func position(_ index: Int) -> Int32 {
        index < old.count ? old.positions[index] : firstPosition + Int32(index - old.count)
    }

    /// Writes source `index` to slot `place` as it is: an old slot by its stored bytes, a new token with bias 0.
    func keep(_ index: Int, at place: Int) {
        new.positions[place] = position(index)
        if index < old.count {
            new.copyRows(of: index, from: old, to: place)
            new.biases[place] = old.biases[index]
        } else {
            let token = index - old.count
            new.store(key: newKey(token), value: newValue(token), at: place)
            new.biases[place] = 0
        }
    }

    /// Writes all sources to the slots of the same index, as they are.
    /// - Precondition: there are as many slots as sources.
    func keepAll() {
        precondition(new.count == sourceCount, "there are as many slots as sources")
        let history = old.count, rowBytes = new.rowBytes, format = new.format
        new.keys.copyMemory(from: old.keys, byteCount: history * rowBytes)
        new.values.copyMemory(from: old.values, byteCount: history * rowBytes)
        format.encode(keys, count: tokens, width: new.width, into: new.key(history))
        format.encode(values, count: tokens, width: new.width, into: new.value(history))
        new.positions.update(from: old.positions, count: history)
        new.biases.update(from: old.biases, count: history)
        for token in 0..<tokens { new.positions[history + token] = firstPosition + Int32(token) }
        (new.biases + history).update(repeating: 0, count: tokens)
    }
}
