/// A block of plain values that grows when asked and is never shrunk: working memory that outlives one call.
///
/// Contents are undefined after it has grown. Not synchronised.
public final class ScratchBuffer<Element: BitwiseCopyable> {
    /// The first value.
    public private(set) var pointer: UnsafeMutablePointer<Element>
    /// The values there is room for.
    public private(set) var count = 0

    /// Bytes held.
    public var byteCount: Int { count * MemoryLayout<Element>.stride }

    /// Holds nothing yet, or room for `count` values.
    public init(_ count: Int = 0) {
        pointer = .allocate(capacity: 1)
        reserve(count)
    }

    deinit { pointer.deallocate() }

    /// Makes room for at least `needed` values; what was stored is lost if that takes a new block.
    public func reserve(_ needed: Int) {
        guard needed > count else { return }
        pointer.deallocate()
        pointer = .allocate(capacity: needed)
        count = needed
    }
}
