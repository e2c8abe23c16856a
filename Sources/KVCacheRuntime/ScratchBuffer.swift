/// A block of plain values that grows when asked and is never shrunk: working memory that outlives one call.
///
/// Contents are undefined after it has grown. Not synchronised.
final class ScratchBuffer<Element: BitwiseCopyable> {
    private(set) var pointer: UnsafeMutablePointer<Element>
    private(set) var count = 0

    /// Bytes held.
    var byteCount: Int { count * MemoryLayout<Element>.stride }

    init() { pointer = .allocate(capacity: 1) }

    deinit { pointer.deallocate() }

    /// Makes room for at least `needed` values; what was stored is lost if that takes a new block.
    func reserve(_ needed: Int) {
        guard needed > count else { return }
        pointer.deallocate()
        pointer = .allocate(capacity: needed)
        count = needed
    }
}
