/// Hands out typed pieces of one thread's scratch block, one after the other, each on its own cache line.
public struct ScratchPieces {
    private var next: UnsafeMutableRawPointer

    /// Bytes that a piece of `count` values takes.
    public static func byteCount<Element: BitwiseCopyable>(_ type: Element.Type, _ count: Int) -> Int {
        (count * MemoryLayout<Element>.stride + 63) & ~63
    }

    /// Starts at `block`, which must be aligned to 64 bytes and large enough for all that will be taken.
    public init(block: UnsafeMutableRawPointer) { next = block }

    /// The next `count` values, undefined.
    public mutating func take<Element: BitwiseCopyable>(
        _ type: Element.Type, _ count: Int
    ) -> UnsafeMutablePointer<Element> {
        defer { next += Self.byteCount(type, count) }
        return next.bindMemory(to: type, capacity: max(count, 1))
    }
}
