import TensorKernels

/// Keeps a fixed random set: every position has a number drawn from (seed, position, branch, layer, head), and the cell
/// keeps the positions with the highest ones, so retained sets are nested. A floor for comparisons.
public struct RandomRule: SlotSelector {
    public static let name = "random"
    /// The seed.
    public let seed: UInt64

    /// Makes the rule.
    public init(seed: UInt64 = 0) { self.seed = seed }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let random = CounterRandom(seed: seed)
        let cell = UInt32(candidates.layer << 16 | candidates.head)
        keepHighest(candidates.count, into: kept) { index in
            Double(random.words(UInt32(candidates.positions[index]), cell, UInt32(candidates.branch), 0x5E1EC7).0)
        }
    }
}
