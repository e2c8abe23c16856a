/// The byte ledger's prediction: how many bytes of retained cache are resident, step by step, before the first token.
///
/// The cache is one arena. A *step* is (scale k, layer l); right after layer l has attended at scale k, its region
/// changes from its capacities at k to those at k + 1, layers in order 0 ... L-1. The last scale stores nothing and
/// frees nothing. So after step (k, l) there are resident, over all branches g and heads h,
///
///     slots(k, l) = sum_{l' <= l} capacity(g, k + 1, l', h) + sum_{l' > l} capacity(g, k, l', h)      for k < K - 1
///     slots(K - 1, l) = sum_{l'} capacity(g, K - 1, l', h)
///
/// times the bytes of one slot. The predicted resident bytes are the maximum over all steps; the runtime allocates
/// exactly that, once. Transient memory (the current map's own keys and values among it) is not part of it.
public struct ResidentPlan: Sendable, Hashable {
    /// Sequences per image.
    public let branches: Int
    /// Bytes of one slot: key and value.
    public let bytesPerSlot: Int
    /// Slots resident when each scale begins, over all branches, layers and heads; K entries, the first 0.
    public let slotsByScale: [Int]
    /// The most slots resident after any step.
    public let residentSlots: Int
    /// The scale of the first step at which ``residentSlots`` are resident.
    public let peakScale: Int
    /// The layer of the first step at which ``residentSlots`` are resident.
    public let peakLayer: Int
    /// Slots of a cache that evicts nothing: `H_{K-1}` per cell.
    public let fullCacheSlots: Int
    private let storageName: String
    private let headWidth: Int
    private let layerCount: Int
    /// Slots resident after each step, [scale][layer].
    private let slotsByStep: [Int]

    /// Works out the ledger.
    ///
    /// - Parameters:
    ///   - capacities: tokens per cell; a shared table counts once for every branch.
    ///   - branches: sequences per image, 2 with guidance.
    /// - Precondition: the table has the schedule's scales, and either one branch or `branches`.
    public init(
        capacities: CellCapacities, schedule: ScaleSchedule, storage: StorageFormat, headWidth: Int, branches: Int
    ) {
        precondition(capacities.scaleCount == schedule.scaleCount, "the table has the schedule's scales")
        precondition(
            capacities.branchCount == 1 || capacities.branchCount == branches, "the table has one or all branches")
        let scaleCount = schedule.scaleCount
        let layerCount = capacities.layerCount
        // Slots of one layer when one scale begins, over all branches and heads.
        func layerSlots(_ scale: Int, _ layer: Int) -> Int {
            capacities.branchCount == 1
                ? branches * capacities.totalTokens(scale: scale, branch: 0, layer: layer)
                : (0..<branches).reduce(0) {
                    $0 + capacities.totalTokens(scale: scale, branch: $1, layer: layer)
                }
        }
        var slotsByScale: [Int] = []
        var slotsByStep: [Int] = []
        var (resident, peakScale, peakLayer) = (0, 0, 0)
        var slots = (0..<layerCount).reduce(0) { $0 + layerSlots(0, $1) }
        for scale in 0..<scaleCount {
            slotsByScale.append(slots)
            for layer in 0..<layerCount {
                if scale < scaleCount - 1 { slots += layerSlots(scale + 1, layer) - layerSlots(scale, layer) }
                slotsByStep.append(slots)
                if slots > resident { (resident, peakScale, peakLayer) = (slots, scale, layer) }
            }
        }
        self.branches = branches
        self.bytesPerSlot = storage.bytesPerSlot(headWidth: headWidth)
        self.slotsByScale = slotsByScale
        self.residentSlots = resident
        self.peakScale = peakScale
        self.peakLayer = peakLayer
        self.fullCacheSlots = schedule.finalHistoryTokens * branches * layerCount * capacities.headCount
        self.storageName = storage.name
        self.headWidth = headWidth
        self.layerCount = layerCount
        self.slotsByStep = slotsByStep
    }

    /// Slots resident right after `layer` has attended at `scale` and its region has changed.
    ///
    /// - Precondition: the indices are in range.
    public func slots(scale: Int, layer: Int) -> Int {
        precondition((0..<layerCount).contains(layer), "no such layer")
        return slotsByStep[scale * layerCount + layer]
    }

    /// The most bytes resident after any step, for `batch` images.
    ///
    /// - Precondition: the product does not overflow.
    public func residentBytes(batch: Int = 1) -> Int { residentSlots * bytesPerSlot * batch }

    /// The bytes of a cache that evicts nothing, for `batch` images.
    ///
    /// - Precondition: the product does not overflow.
    public func fullCacheBytes(batch: Int = 1) -> Int { fullCacheSlots * bytesPerSlot * batch }

    /// How the predicted bytes come about, with the numbers filled in, for one image.
    public var formula: String {
        "max over steps (scale k, layer l) of [sum of capacities at k + 1 over layers <= l + sum of capacities at k "
            + "over layers > l], \(branches) \(branches == 1 ? "branch" : "branches"), all heads, the last scale not "
            + "stored: \(residentSlots) slots at scale \(peakScale), layer \(peakLayer); x \(bytesPerSlot) bytes per "
            + "slot (key and value, \(storageName), \(headWidth) channels) = \(residentBytes()) bytes"
    }
}
