import ProfileFormat

/// What it costs to let one slot stand for two, or for none: squared error of the head's contribution to the residual
/// stream, mean over queries and prompts (`method.md` section 4).
struct MergeCost: Sendable, Hashable {
    /// How two sources may be told apart.
    enum Measure: Sendable, Hashable {
        /// By attention, values and keys, as measured.
        case measured
        /// By place on the map alone; the "values" are coordinates.
        case geometric
    }
    /// What counts.
    var measure = Measure.measured
    /// How much it counts that a mean key attends differently from its members.
    var keyWeight = Float(SelectionRule.standardKeyWeight)
    /// Whether sources may be pooled; if not they can only be dropped.
    var pools = true
    /// Whether sources may be dropped.
    var drops = true
}
