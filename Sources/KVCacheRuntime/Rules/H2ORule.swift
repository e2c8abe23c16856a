import ProfileFormat

/// Keeps the keys with the largest attention mass ever received, and the newest tokens (H2O, arXiv 2306.14048).
///
/// The mass is summed over the queries of all scales since the key entered the history. Half of the capacity, rounded
/// down, goes to the newest tokens, the rest to the heaviest of the others, as in the paper's equal budgets.
///
/// Deviation: H2O evicts after every token; here a whole map arrives at once, so the newest tokens are the last of the
/// map in raster order.
public struct H2ORule: SlotSelector {
    public static let name = "h2o"

    /// Makes the rule.
    public init() {}

    public var accumulatesMass: Bool { true }
    public func rowWeights(for grid: ScaleSchedule.Grid) -> [Float]? { [] }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        keepNewest(kept.count / 2, of: candidates.count, into: kept) { candidates.mass?[$0] ?? 0 }
    }
}
