/// The byte ledger of one generation (`method.md` section 6).
public struct CacheLedger: Sendable, Hashable {
    /// Bytes of retained keys and values known before the first token, from the plan alone.
    public let predictedResidentBytes: Int
    /// Bytes the runtime allocated for them, once.
    public let allocatedResidentBytes: Int
    /// The most bytes that held retained keys and values at any step, counted as they were written.
    public internal(set) var peakResidentBytes: Int
    /// Bytes of a cache that keeps everything but the last scale, in the same storage format.
    public let fullCacheBytes: Int
    /// Bytes of everything that lives for one layer or one map only: queries, current keys and values, score tiles.
    public internal(set) var transientBytes: Int
    /// Bytes of the position numbers and logit biases kept beside the slots.
    public let bookkeepingBytes: Int
    /// Slots held when scale k began, of image 0: `[branch][scale][layer][head]`, row-major.
    public internal(set) var keptSlots: [Int]
}
