import ProfileFormat

/// Keeps what the last tokens of the map attend to, and these tokens (SnapKV, arXiv 2404.14469; FasterDecoding/SnapKV).
///
/// The score of a key is its softmax mass from the last `window` queries, pooled over neighbours in cache order. The
/// window itself stays.
///
/// Deviations: the released window of 32 to 64 tokens presumes capacities of a thousand and more; here it is 16 by
/// default, and at most half of the capacity is the window's, the rest of it competes by its score. Pooling is by mean
/// as in the released code; the paper's maximum is a parameter.
public struct SnapKVRule: SlotSelector {
    public static let name = "snapkv"
    /// The observing tokens, the last of the map.
    public let window: Int
    /// How scores are pooled; the released kernel is 5.
    public let pooling: NeighbourPooling

    /// Makes the rule.
    /// - Precondition: `window` is positive.
    public init(window: Int = 16, pooling: NeighbourPooling = .average(reach: 2)) {
        precondition(window > 0, "window is positive")
        self.window = window
        self.pooling = pooling
    }

    public func rowWeights(for grid: ScaleSchedule.Grid) -> [Float]? { lastQueryWeights(window, of: grid.tokenCount) }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let newest = min(window, candidates.tokenCount, kept.count / 2)
        let scores = pooling((0..<(candidates.count - newest)).map { candidates.mass?[$0] ?? 0 })
        keepNewest(newest, of: candidates.count, into: kept) { scores[$0] }
    }
}
