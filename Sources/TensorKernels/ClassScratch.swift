/// One thread's working memory for drawing classes with a ``ClassSampler``.
public struct ClassScratch {
    /// `[classes]` classes that are left, ascending, their weights, and a noise for each.
    let indices: UnsafeMutablePointer<Int32>
    let weights: UnsafeMutablePointer<Float>
    let noise: UnsafeMutablePointer<Float>
    /// `[classes]` pairs of a sort, and where each of its passes puts them.
    let pairs: UnsafeMutablePointer<UInt64>
    let sorted: UnsafeMutablePointer<UInt64>
    /// Words of random numbers and the counters they come from; in the memory of the pairs.
    let words: UnsafeMutablePointer<UInt32>
    let counters: UnsafeMutablePointer<UInt32>
    /// `[ClassScratch.bins]`
    let bins: UnsafeMutablePointer<Int32>

    static let bins = 1 << 11

    /// The float32 values that a block must hold for draws from up to `classes` classes.
    public static func count(classes: Int) -> Int {
        (2 * ScratchPieces.byteCount(UInt64.self, classes + 3) + 3 * ScratchPieces.byteCount(Float.self, classes)
            + ScratchPieces.byteCount(Int32.self, bins)) / 4
    }

    /// Divides a block of ``count(classes:)`` values, aligned to 64 bytes.
    public init(block: UnsafeMutablePointer<Float>, classes: Int) {
        var pieces = ScratchPieces(block: block)
        // Four words a counter, one counter for four classes, the last perhaps for fewer: at most classes + 3 words.
        pairs = pieces.take(UInt64.self, classes + 3)
        sorted = pieces.take(UInt64.self, classes + 3)
        indices = pieces.take(Int32.self, classes)
        weights = pieces.take(Float.self, classes)
        noise = pieces.take(Float.self, classes)
        bins = pieces.take(Int32.self, Self.bins)
        counters = UnsafeMutableRawPointer(pairs).assumingMemoryBound(to: UInt32.self)
        words = UnsafeMutableRawPointer(sorted).assumingMemoryBound(to: UInt32.self)
    }
}
