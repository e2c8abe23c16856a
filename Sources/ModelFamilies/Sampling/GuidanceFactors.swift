/// What guidance multiplies the branches with before it adds them.
public struct GuidanceFactors: Sendable, Hashable {
    /// The factor of the conditional branch.
    public let conditional: Float
    /// The factor of the unconditional branch.
    public let unconditional: Float

    /// Joins two factors.
    public init(conditional: Float, unconditional: Float) {
        self.conditional = conditional
        self.unconditional = unconditional
    }
}
