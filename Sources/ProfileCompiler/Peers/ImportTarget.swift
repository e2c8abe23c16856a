import ProfileFormat

/// What an imported profile is for, and how its caches are kept.
public struct ImportTarget: Sendable, Hashable {
    /// The model; its weights may be unknown.
    public var model: ModelIdentity
    /// The token maps.
    public var schedule: ScaleSchedule
    /// Which tokens a cell keeps, where the file leaves it open; nil for the rule of the code that the file is for.
    public var selection: SelectionRule?
    /// How every cell's kept keys and values are stored.
    public var storage: CellStorage
    /// Where the file comes from, for people: repository, commit, paper; at most 1000 bytes.
    public var origin: String
    /// The version of Vernier that imports, for the provenance.
    public var toolVersion: String

    /// Describes a target.
    public init(
        model: ModelIdentity, schedule: ScaleSchedule, selection: SelectionRule? = nil, storage: CellStorage = .float32,
        origin: String = "", toolVersion: String
    ) {
        self.model = model
        self.schedule = schedule
        self.selection = selection
        self.storage = storage
        self.origin = origin
        self.toolVersion = toolVersion
    }
}
