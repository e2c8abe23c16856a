/// Keeps what the last tokens of the map attend to much or in turns, and these tokens (CAKE's eviction indicator, arXiv
/// 2503.12491; its code as copied in qtris123/cakekv:
/// cake/model/modify_llama.py).
///
/// The score of a key is `mean + gamma * variance` of its softmax attention from the last `window` queries, the
/// variance with divisor `window - 1`, averaged over 5 neighbours in cache order. The window itself stays.
///
/// Deviations: the window is 16 by default instead of 32, and at most half of the capacity is the window's, because
/// capacities here may be smaller than the released window. The policy `cake` divides the budget among layers.
public struct CakeRule: SlotSelector {
    public static let name = "cake"
    /// The observing tokens, the last of the map.
    public let window: Int
    /// Weight of the variance; 200 in the released code.
    public let gamma: Double

    private static let pooling = NeighbourPooling.average(reach: 2)

    /// Makes the rule.
    /// - Precondition: `window` is positive.
    public init(window: Int = 16, gamma: Double = 200) {
        precondition(window > 0, "window is positive")
        self.window = window
        self.gamma = gamma
    }

    public var needsKeys: Bool { true }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let tokens = candidates.tokenCount
        let newest = min(window, tokens, kept.count / 2)
        let attention = CandidateAttention(candidates, queries: Array(max(0, tokens - window)..<tokens))
        let scores = Self.pooling(
            (0..<(candidates.count - newest)).map { indicator(attention, of: $0) })
        keepNewest(newest, of: candidates.count, into: kept) { scores[$0] }
    }

    /// The score of one candidate before pooling; a single query has no variance.
    func indicator(_ attention: CandidateAttention, of index: Int) -> Double {
        let count = attention.queryCount
        guard count > 0 else { return 0 }
        let mean = (0..<count).reduce(0.0) { $0 + attention.probability($1, index) } / Double(count)
        guard count > 1 else { return mean }
        let squares = (0..<count).reduce(0.0) { sum, row in
            let difference = attention.probability(row, index) - mean
            return sum + difference * difference
        }
        return mean + gamma * squares / Double(count - 1)
    }
}
