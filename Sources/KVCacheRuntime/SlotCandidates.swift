import ProfileFormat

/// What a selection rule may look at when a cell's capacity is exceeded: the slots retained so far, then the tokens of
/// the scale just finished, in this order (ascending position).
public struct SlotCandidates {
    /// The scale just finished (0-based), the branch, layer and head of the cell.
    public let scale: Int
    public let branch: Int
    public let layer: Int
    public let head: Int
    /// Slots retained from earlier scales; the rest are tokens of this scale.
    public let historyCount: Int
    /// History position of each candidate, ascending.
    public let positions: UnsafeBufferPointer<Int32>
    /// Attention mass each candidate received from the queries of this scale, weighted by
    /// ``SlotSelector/rowWeights(for:)``; nil if the rule asked for none.
    public let mass: UnsafePointer<Double>?
    /// Euclidean norm of each candidate's value; nil unless ``SlotSelector/needsValueNorms``.
    public let valueNorms: UnsafePointer<Float>?
    /// The schedule.
    public let schedule: ScaleSchedule
    /// The number of candidates.
    public var count: Int { positions.count }
}
