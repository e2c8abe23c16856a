import ProfileFormat

/// A selection rule: which candidates a cell keeps when its capacity is exceeded. One file and one type a rule.
///
/// A rule is pure: the same candidates give the same choice. Ties go to the lowest index.
public protocol SlotSelector: Sendable {
    /// The rule's name in profiles, for example `attention-mass`.
    static var name: String { get }
    /// How much each query of a scale's map counts in the attention mass, `[n_k]`; an empty array counts all as 1, nil
    /// asks for no mass at all.
    func rowWeights(for grid: ScaleSchedule.Grid) -> [Float]?
    /// Whether the mass a rule sees is the running sum over all scales since a token entered the history. Slots then
    /// carry it, 4 bytes each, from scale to scale.
    var accumulatesMass: Bool { get }
    /// Whether ``SlotCandidates/valueNorms`` must be filled.
    var needsValueNorms: Bool { get }
    /// Whether ``SlotCandidates/keys`` must be filled.
    var needsKeys: Bool { get }
    /// Whether ``SlotCandidates/values`` must be filled.
    var needsValues: Bool { get }
    /// Whether ``SlotCandidates/rawQueries`` must be filled.
    var needsRawQueries: Bool { get }
    /// Writes the indices of `kept.count` candidates to keep, ascending.
    func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>)
    /// Whether ``revise(_:kept:keys:values:biases:)`` must be called.
    var revisesSlots: Bool { get }
    /// Changes what is stored for the kept candidates: `keys` and `values` `[kept.count, D]` and `biases`
    /// `[kept.count]` come filled with theirs, in the order of `kept`.
    ///
    /// Called after ``select(_:into:)``, so only when something is evicted, and before the slots are stored.
    func revise(
        _ candidates: SlotCandidates, kept: UnsafeBufferPointer<Int32>, keys: UnsafeMutablePointer<Float>,
        values: UnsafeMutablePointer<Float>, biases: UnsafeMutablePointer<Float>)
}

extension SlotSelector {
    public func rowWeights(for grid: ScaleSchedule.Grid) -> [Float]? { nil }
    public var accumulatesMass: Bool { false }
    public var needsValueNorms: Bool { false }
    public var needsKeys: Bool { false }
    public var needsValues: Bool { false }
    public var needsRawQueries: Bool { false }
    public var revisesSlots: Bool { false }
    public func revise(
        _ candidates: SlotCandidates, kept: UnsafeBufferPointer<Int32>, keys: UnsafeMutablePointer<Float>,
        values: UnsafeMutablePointer<Float>, biases: UnsafeMutablePointer<Float>
    ) {}

    /// Keeps the `kept.count` candidates with the highest score, ties to the lowest index; writes them ascending.
    func keepHighest(
        _ count: Int, into kept: UnsafeMutableBufferPointer<Int32>, score: (Int) -> Double
    ) {
        let scores = (0..<count).map(score)
        let order = (0..<count).sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }
        for (place, index) in order.prefix(kept.count).sorted().enumerated() { kept[place] = Int32(index) }
    }
}
