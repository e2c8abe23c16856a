import ProfileFormat

/// Keeps the positions to which the next scales of the same image really pay attention, times the norm of the value: a
/// ceiling for choosing by attention, not a product, because it takes a full-cache run of the same request first. It
/// bounds what foresight can add; slots that are merged or fitted may do better.
///
/// The score is the mean attention of a query of the next scale, summed over `horizon` scales. What one scale does not
/// look at the one after may need, and it never returns; so a horizon of 1, the attention of the very next scale alone,
/// is not always the highest ceiling. The attention is read from an ``AttentionTape`` that watched the run. Positions
/// that were not taped count 0.
public struct OracleRule: SlotSelector {
    public static let name = "oracle"
    private let tape: AttentionTape
    /// How many scales ahead it looks.
    public let horizon: Int
    /// Whether the attention is multiplied by the norm of the value.
    public let valueNorm: Bool

    /// Makes the rule; `tape` is recorded anew before each run.
    /// - Precondition: `horizon` is positive.
    public init(tape: AttentionTape, horizon: Int = 1, valueNorm: Bool = true) {
        precondition(horizon > 0, "horizon is positive")
        self.tape = tape
        self.horizon = horizon
        self.valueNorm = valueNorm
    }

    public var needsValueNorms: Bool { valueNorm }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        var attention = [Double](repeating: 0, count: candidates.count)
        let last = min(candidates.scale + horizon, candidates.schedule.scaleCount - 1)
        for scale in stride(from: candidates.scale + 1, through: last, by: 1) {
            let queries = Double(candidates.schedule.tokenCount(scale))
            let mass = tape.mass(
                sequence: candidates.sequence, layer: candidates.layer, head: candidates.head, scale: scale)
            for index in attention.indices {
                let position = Int(candidates.positions[index])
                if mass.indices.contains(position) { attention[index] += mass[position] / queries }
            }
        }
        keepHighest(candidates.count, into: kept) { index in
            valueNorm ? attention[index] * Double(candidates.valueNorms?[index] ?? 1) : attention[index]
        }
    }
}
