import ProfileFormat

/// What a cache is made for: the sequences of a batch, the layers and heads of the model, the schedule.
public struct CacheGeometry: Sendable, Hashable {
    /// The scale schedule.
    public let schedule: ScaleSchedule
    /// Layers L and heads H of the transformer, and the width D of a head.
    public let layers: Int
    public let heads: Int
    public let headWidth: Int
    /// Branches G: 2 under classifier-free guidance (conditional, unconditional), else 1.
    public let branches: Int
    /// Images B generated together.
    public let images: Int

    /// Sequences G*B, ordered all images of branch 0, then all images of branch 1.
    public var sequences: Int { branches * images }

    /// The branch of a sequence.
    public func branch(ofSequence sequence: Int) -> Int { sequence / images }

    /// Gathers the sizes.
    /// - Precondition: all sizes are positive.
    public init(schedule: ScaleSchedule, layers: Int, heads: Int, headWidth: Int, branches: Int, images: Int) {
        precondition(
            layers > 0 && heads > 0 && headWidth > 0 && branches > 0 && images > 0, "all sizes are positive")
        self.schedule = schedule
        self.layers = layers
        self.heads = heads
        self.headWidth = headWidth
        self.branches = branches
        self.images = images
    }
}
