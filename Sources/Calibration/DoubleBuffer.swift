/// A fixed block of float64 values, zero at first, of which several threads may fill different parts; nothing is
/// synchronised here.
final class DoubleBuffer: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<Double>
    let count: Int

    /// Allocates `count` zeros.
    init(count: Int) {
        self.count = count
        pointer = .allocate(capacity: max(count, 1))
        clear()
    }

    deinit { pointer.deallocate() }

    /// Sets everything to zero.
    func clear() { pointer.update(repeating: 0, count: count) }
}
