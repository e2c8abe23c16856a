import TensorKernels

/// The slots of one cell, wherever they lie: rows of keys `[count, D]`, then rows of values `[count, D]`, both in the
/// cell's format, and the position, the logit bias and (if a rule asks for it) the mass of each slot.
struct CellSlots {
    let count: Int
    /// D.
    let width: Int
    let format: RowFormat
    /// Bytes of one row.
    let rowBytes: Int
    let keys: UnsafeMutableRawPointer
    let values: UnsafeMutableRawPointer
    /// The lowest history position of each slot.
    let positions: UnsafeMutablePointer<Int32>
    let biases: UnsafeMutablePointer<Float>
    /// Attention mass summed over the scales since each token entered; nil unless a rule accumulates it.
    let masses: UnsafeMutablePointer<Float>?

    /// The stored bytes of one key and of one value.
    func key(_ slot: Int) -> UnsafeMutableRawPointer { keys + slot * rowBytes }
    func value(_ slot: Int) -> UnsafeMutableRawPointer { values + slot * rowBytes }

    /// All keys (values) as float32 rows `[count, D]`: where they are if they are stored so, or else read into scratch.
    func floatKeys(_ scratch: inout ScratchPieces) -> UnsafePointer<Float> { floats(keys, &scratch) }
    func floatValues(_ scratch: inout ScratchPieces) -> UnsafePointer<Float> { floats(values, &scratch) }

    /// Scratch that ``floatKeys(_:)`` and ``floatValues(_:)`` take together.
    static func scratchBytes(count: Int, width: Int) -> Int { 2 * ScratchPieces.byteCount(Float.self, count * width) }

    private func floats(_ stored: UnsafeMutableRawPointer, _ scratch: inout ScratchPieces) -> UnsafePointer<Float> {
        if format == .float32, Int(bitPattern: stored) % MemoryLayout<Float>.alignment == 0 {
            return UnsafePointer(stored.assumingMemoryBound(to: Float.self))
        }
        let rows = scratch.take(Float.self, count * width)
        format.decode(stored, count: count, width: width, into: rows)
        return UnsafePointer(rows)
    }

    /// The rows of keys and of values as plain numbers; nil if there are none, or if they are stored otherwise or carry
    /// biases.
    var plainRows: (keys: UnsafePointer<Float>, values: UnsafePointer<Float>)? {
        let starts = [UnsafeRawPointer(keys), UnsafeRawPointer(values)]
        guard count > 0, format == .float32, (0..<count).allSatisfy({ biases[$0] == 0 }),
            starts.allSatisfy({ Int(bitPattern: $0) % MemoryLayout<Float>.alignment == 0 })
        else { return nil }
        return (starts[0].assumingMemoryBound(to: Float.self), starts[1].assumingMemoryBound(to: Float.self))
    }

    /// Copies the stored key and value of `slot` of `other`, a cell of the same format, into `place`.
    func copyRows(of slot: Int, from other: CellSlots, to place: Int) {
        key(place).copyMemory(from: other.key(slot), byteCount: rowBytes)
        value(place).copyMemory(from: other.value(slot), byteCount: rowBytes)
    }

    /// Stores a key and a value `[D]` at `place`.
    func store(key: UnsafePointer<Float>, value: UnsafePointer<Float>, at place: Int) {
        format.encode(key, count: 1, width: width, into: self.key(place))
        format.encode(value, count: 1, width: width, into: self.value(place))
    }
}
