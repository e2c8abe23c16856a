import ProfileFormat

/// Keeps the keys that received most attention from **all** queries of the scale just finished.
///
/// With `valueNorm`, the mass is multiplied by the norm of the value. Source: `method.md` section 4; the all-query form
/// of H2O (arXiv 2306.14048) without its running sum, because a scale's queries see the whole history anyway.
public struct AttentionMassRule: SlotSelector {
    public static let name = "attention-mass"
    /// Whether the mass is multiplied by the norm of the value.
    public let valueNorm: Bool

    /// Makes the rule.
    public init(valueNorm: Bool = false) { self.valueNorm = valueNorm }

    public var needsValueNorms: Bool { valueNorm }
    public func rowWeights(for grid: ScaleSchedule.Grid) -> [Float]? { [] }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        keepHighest(candidates.count, into: kept) { index in
            let mass = candidates.mass?[index] ?? 0
            return valueNorm ? mass * Double(candidates.valueNorms?[index] ?? 1) : mass
        }
    }
}
