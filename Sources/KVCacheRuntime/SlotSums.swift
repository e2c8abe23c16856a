/// Sums of keys and of values on their way into slots, in float32, in the order in which they are added.
struct SlotSums {
    private let slots: CellSlots
    private let keys: UnsafeMutablePointer<Float>  // [slots, D]
    private let values: UnsafeMutablePointer<Float>
    private let begun: UnsafeMutablePointer<Bool>  // [slots]

    /// Working memory for `count` slots of `width` channels.
    static func scratchBytes(count: Int, width: Int) -> Int {
        2 * ScratchPieces.byteCount(Float.self, count * width) + ScratchPieces.byteCount(Bool.self, count)
    }

    /// Begins with nothing in any slot.
    init(into slots: CellSlots, scratch: inout ScratchPieces) {
        self.slots = slots
        keys = scratch.take(Float.self, slots.count * slots.width)
        values = scratch.take(Float.self, slots.count * slots.width)
        begun = scratch.take(Bool.self, slots.count)
        begun.update(repeating: false, count: slots.count)
    }

    /// Adds `keyCoefficient * key` and `valueCoefficient * value`, rows `[D]`; true if it is the slot's first.
    func add(
        key: UnsafePointer<Float>, _ keyCoefficient: Float, value: UnsafePointer<Float>, _ valueCoefficient: Float,
        to slot: Int
    ) -> Bool {
        let width = slots.width
        let keySum = keys + slot * width, valueSum = values + slot * width
        if begun[slot] {
            for channel in 0..<width { keySum[channel] += keyCoefficient * key[channel] }
            for channel in 0..<width { valueSum[channel] += valueCoefficient * value[channel] }
            return false
        }
        for channel in 0..<width { keySum[channel] = keyCoefficient * key[channel] }
        for channel in 0..<width { valueSum[channel] = valueCoefficient * value[channel] }
        begun[slot] = true
        return true
    }

    /// Stores the slots that were added to.
    func store() {
        for slot in 0..<slots.count where begun[slot] {
            slots.store(key: keys + slot * slots.width, value: values + slot * slots.width, at: slot)
        }
    }
}
