import ProfileFormat

/// Keeps by the class of the head (HACK, arXiv 2504.09261).
///
/// Contextual heads keep the keys with the largest attention mass from `observers` queries spread evenly over the map.
/// Structural heads keep the first scales and the scale just finished, and fill up with the heaviest keys in between.
/// The policy `hack` says which heads are structural.
///
/// Deviations: where a structural head's capacity does not hold the first scales and the map just finished, which the
/// published budgets always do, the first scales take at most half and the heaviest tokens of the map the rest. The
/// merging of evicted tokens at HACK's last step is left out.
public struct HackRule: SlotSelector {
    public static let name = "hack"
    /// The structural heads; all others are contextual.
    public let structuralHeads: HeadSet
    /// Queries of the map that are asked; 32 as published.
    public let observers: Int
    /// First scales that structural heads keep; 2 as published.
    public let initialScales: Int

    /// Makes the rule.
    /// - Precondition: `observers` is positive and `initialScales` not negative.
    public init(structuralHeads: HeadSet, observers: Int = 32, initialScales: Int = 2) {
        precondition(observers > 0 && initialScales >= 0, "observers is positive and initialScales not negative")
        self.structuralHeads = structuralHeads
        self.observers = observers
        self.initialScales = initialScales
    }

    public func rowWeights(for grid: ScaleSchedule.Grid) -> [Float]? {
        let count = grid.tokenCount, chosen = min(observers, count)
        var weights = [Float](repeating: 0, count: count)
        for place in 0..<chosen { weights[place * count / chosen] = 1 }
        return weights
    }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let mass = { (index: Int) in candidates.mass?[index] ?? 0 }
        guard structuralHeads.contains(layer: candidates.layer, head: candidates.head) else {
            return keepHighest(candidates.count, into: kept, score: mass)
        }
        let initialTokens = candidates.schedule.historyTokens(min(initialScales, candidates.scale))
        let present = candidates.positions.prefix { $0 < initialTokens }.count
        let fits = present + candidates.tokenCount <= kept.count
        let initial = fits ? present : min(present, (kept.count + 1) / 2)
        // Attention mass is at most one a query, so the observers' number parts the classes.
        let step = Double(observers + 1)
        keepHighest(candidates.count, into: kept) { index in
            index < initial ? .infinity : index >= candidates.historyCount ? step + mass(index) : mass(index)
        }
    }
}
