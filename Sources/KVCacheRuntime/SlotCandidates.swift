import ProfileFormat

/// What a selection rule may look at when a cell's capacity is exceeded: the slots retained so far, then the tokens of
/// the scale just finished, in this order (ascending position).
///
/// Legend: n_k tokens of the scale just finished, D head width. Pointers are valid during the call only.
public struct SlotCandidates {
    /// The scale just finished (0-based), the sequence (image + images * branch), branch, layer and head of the cell.
    public let scale: Int
    public let sequence: Int
    public let branch: Int
    public let layer: Int
    public let head: Int
    /// Slots retained from earlier scales; the rest are tokens of this scale.
    public let historyCount: Int
    /// History position of each candidate, ascending.
    public let positions: UnsafeBufferPointer<Int32>
    /// Attention mass each candidate received from the queries of this scale, weighted by
    /// ``SlotSelector/rowWeights(for:)``; nil if the rule asked for none. For a rule that
    /// ``SlotSelector/accumulatesMass``, summed over all scales since the token entered the history.
    public let mass: UnsafePointer<Double>?
    /// Euclidean norm of each candidate's value; nil unless ``SlotSelector/needsValueNorms``.
    public let valueNorms: UnsafePointer<Float>?
    /// D.
    public let headWidth: Int
    /// Queries `[n_k, D]` of the scale just finished, final: normalised, scaled, rotated. Nil in hand-made candidates.
    public let queries: UnsafePointer<Float>?
    /// Key of each candidate, old slots as they are stored; nil unless ``SlotSelector/needsKeys``.
    public let keys: CandidateRows?
    /// Value of each candidate, old slots as they are stored; nil unless ``SlotSelector/needsValues``.
    public let values: CandidateRows?
    /// Queries `[n_k, D]` as the model projected them, without bias, normalisation, head scale or rotation; nil unless
    /// ``SlotSelector/needsRawQueries``.
    public let rawQueries: UnsafePointer<Float>?
    /// Logit bias of each old slot, `[historyCount]`; tokens of this scale have none. Nil counts as 0 everywhere.
    public let biases: UnsafePointer<Float>?
    /// The schedule.
    public let schedule: ScaleSchedule
    /// The number of candidates.
    public var count: Int { positions.count }
    /// n_k, the queries and tokens of the scale just finished.
    public var tokenCount: Int { count - historyCount }

    /// Gathers what a rule may look at; what is left out is nil.
    public init(
        scale: Int, branch: Int, layer: Int, head: Int, historyCount: Int, positions: UnsafeBufferPointer<Int32>,
        mass: UnsafePointer<Double>? = nil, valueNorms: UnsafePointer<Float>? = nil, headWidth: Int = 0,
        queries: UnsafePointer<Float>? = nil, keys: CandidateRows? = nil, values: CandidateRows? = nil,
        biases: UnsafePointer<Float>? = nil, schedule: ScaleSchedule, sequence: Int = 0,
        rawQueries: UnsafePointer<Float>? = nil
    ) {
        self.scale = scale
        self.sequence = sequence
        self.rawQueries = rawQueries
        self.branch = branch
        self.layer = layer
        self.head = head
        self.historyCount = historyCount
        self.positions = positions
        self.mass = mass
        self.valueNorms = valueNorms
        self.headWidth = headWidth
        self.queries = queries
        self.keys = keys
        self.values = values
        self.biases = biases
        self.schedule = schedule
    }
}
