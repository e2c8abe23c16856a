import TensorKernels

/// The one allocation that holds all retained keys and values, and beside it what each slot carries: position, logit
/// bias and, if a rule asks for it, accumulated mass.
///
/// A slot is one entry of a cell: a key, a value and a fixed logit bias, which attention adds to the slot's logit. A kept
/// token is a slot with bias 0; a slot that stands for a group of positions carries the bias its plan gives it. Cells of
/// a layer lie together (sequence-major, then head); ``CacheLayout`` knows where.
final class SlotArena {
    /// Slots and bytes in all.
    let capacity: CacheExtent
    private let bytes: UnsafeMutableRawPointer
    private let positions: UnsafeMutablePointer<Int32>
    private let biases: UnsafeMutablePointer<Float>
    private let masses: UnsafeMutablePointer<Float>?

    /// Bytes a slot takes beside its key and value.
    static func bookkeepingBytesPerSlot(withMass: Bool) -> Int {
        MemoryLayout<Int32>.stride + MemoryLayout<Float>.stride * (withMass ? 2 : 1)
    }

    init(capacity: CacheExtent, withMass: Bool) {
        self.capacity = capacity
        bytes = .allocate(byteCount: max(capacity.bytes, 1), alignment: 64)
        positions = .allocate(capacity: max(capacity.slots, 1))
        biases = .allocate(capacity: max(capacity.slots, 1))
        masses = withMass ? .allocate(capacity: max(capacity.slots, 1)) : nil
    }

    deinit {
        bytes.deallocate()
        positions.deallocate()
        biases.deallocate()
        masses?.deallocate()
    }

    /// The `count` slots of a cell that begins at `start`.
    func cell(at start: CacheExtent, count: Int, format: RowFormat, width: Int) -> CellSlots {
        let keys = bytes + start.bytes, rowBytes = format.byteCount(width: width)
        return CellSlots(
            count: count, width: width, format: format, rowBytes: rowBytes, keys: keys,
            values: keys + count * rowBytes, positions: positions + start.slots,
            biases: biases + start.slots, masses: masses.map { $0 + start.slots })
    }

    /// Copies whole cells from a place of `source` (this arena or another) to a place of this one; places may overlap.
    func copy(_ extent: CacheExtent, from source: SlotArena, at start: CacheExtent, to target: CacheExtent) {
        guard extent.slots > 0, source !== self || start != target else { return }
        (bytes + target.bytes).copyMemory(from: source.bytes + start.bytes, byteCount: extent.bytes)
        (positions + target.slots).update(from: source.positions + start.slots, count: extent.slots)
        (biases + target.slots).update(from: source.biases + start.slots, count: extent.slots)
        if let masses, let others = source.masses {
            (masses + target.slots).update(from: others + start.slots, count: extent.slots)
        }
    }
}
