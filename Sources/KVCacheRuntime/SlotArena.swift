import TensorKernels

/// The one allocation that holds all retained keys and values, and beside it the position and logit bias of each slot.
///
/// A slot is one entry of a cell: a key, a value and a fixed logit bias, which attention adds to the slot's logit. A kept
/// token is a slot with bias 0; a slot that stands for a group of positions carries the bias its plan gives it. Cells of a layer lie together (sequence-major, then head), each as
/// its keys `[slots, D]` followed by its values `[slots, D]`. While scale k runs, layers that have finished it lie packed
/// at the left in their new size, layers that have not lie packed at the right in their old size, and the gap between
/// them is what the next layer may grow into. So the arena never needs more than the largest step of the plan.
final class SlotArena {
    /// Slots in all.
    let capacity: Int
    /// float32 values of one slot: key and value.
    let slotWidth: Int
    let values: FloatBuffer
    let positions: UnsafeMutablePointer<Int32>
    let biases: UnsafeMutablePointer<Float>

    /// Bytes a slot takes beside its key and value: position and bias.
    static let bookkeepingBytesPerSlot = MemoryLayout<Int32>.stride + MemoryLayout<Float>.stride

    init(capacity: Int, headWidth: Int) {
        self.capacity = capacity
        slotWidth = 2 * headWidth
        values = FloatBuffer(count: capacity * slotWidth)
        positions = .allocate(capacity: max(capacity, 1))
        biases = .allocate(capacity: max(capacity, 1))
    }

    deinit {
        positions.deallocate()
        biases.deallocate()
    }

    /// Moves `count` slots (whole cells) from one place to another; the ranges may overlap.
    func move(from source: Int, to target: Int, count: Int) {
        guard count > 0, source != target else { return }
        (values.pointer + target * slotWidth).update(
            from: values.pointer + source * slotWidth, count: count * slotWidth)
        (positions + target).update(from: positions + source, count: count)
        (biases + target).update(from: biases + source, count: count)
    }
}
