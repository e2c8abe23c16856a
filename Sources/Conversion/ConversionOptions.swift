import ProfileFormat

/// What a checkpoint does not say, or what shall be other than in the release.
public struct ConversionOptions: Sendable, Hashable {
    /// The model's name; nil for the release's, or the transformer's file's.
    public var name: String?
    /// Infinity's schedule; what is left open is the release's, and square.
    public var schedule: ScheduleChoice
    /// Heads of a VAR model whose attention is not normalised.
    public var heads: Int?

    /// Gathers the options.
    public init(name: String? = nil, schedule: ScheduleChoice = .standard, heads: Int? = nil) {
        self.name = name
        self.schedule = schedule
        self.heads = heads
    }
}
