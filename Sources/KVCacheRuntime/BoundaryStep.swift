/// What a cache does at a scale boundary: how the old slots of a cell and the tokens of the scale just finished become
/// its new slots.
///
/// A step is pure: it writes only ``CellBoundary/new`` and its scratch, cells run in any order on any thread.
protocol BoundaryStep: Sendable {
    /// Whether ``CellBoundary/mass`` must be measured.
    var wantsMass: Bool { get }
    /// Whether ``CellBoundary/rawQueries`` must be handed over.
    var wantsRawQueries: Bool { get }
    /// Whether slots carry their mass from scale to scale.
    var accumulatesMass: Bool { get }
    /// How much each query of a scale counts in the mass, `[n_k]`; nil counts all as 1.
    func rowWeights(scale: Int) -> UnsafePointer<Float>?
    /// Working memory that one cell needs: `history` old slots, `tokens` new ones, `kept` slots to write, rows of
    /// `width` values.
    func scratchBytes(history: Int, tokens: Int, kept: Int, width: Int) -> Int
    /// Writes the new slots of one cell.
    func carryOut(_ boundary: CellBoundary)
}

extension BoundaryStep {
    var wantsRawQueries: Bool { false }
}
