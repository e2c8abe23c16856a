/// The byte ledger's prediction: how many bytes of retained cache are resident, step by step, before the first token.
///
/// The cache is one arena. A *step* is (scale k, layer l); right after layer l has attended at scale k, its region
/// changes from its capacities at k to those at k + 1, layers in order 0 ... L-1. The last scale stores nothing and
/// frees nothing. So after step (k, l) there are resident, over all branches g and heads h,
///
///     slots(k, l) = sum_{l' <= l} capacity(g, k + 1, l', h) + sum_{l' > l} capacity(g, k, l', h)      for k < K - 1
///     slots(K - 1, l) = sum_{l'} capacity(g, K - 1, l', h)
///
/// each times the bytes of that cell's slots, key and value with all their scales. The predicted resident bytes are the
/// maximum over all steps; the runtime allocates exactly that, once. Transient memory (the current map's own keys and
/// values among it) is not part of it.
public struct ResidentPlan: Sendable, Hashable {
    /// Bytes per channel of a slot in ScaleKV's released code (arXiv 2505.19602), keys in float32 and values in
    /// bfloat16: the reference for ``referenceFullCacheBytes(batch:)``.
    public static let referenceBytesPerChannelPair = 6

    /// Sequences per image.
    public let branches: Int
    /// Bytes of one slot, key and value, of the cells whose slots take fewest; of every cell if all are alike.
    public let leastBytesPerSlot: Int
    /// Slots resident when each scale begins, over all branches, layers and heads; K entries, the first 0.
    public let slotsByScale: [Int]
    /// The most slots resident after any step.
    public let residentSlots: Int
    /// The scale of the first step at which the most bytes are resident.
    public let peakScale: Int
    /// The layer of the first step at which the most bytes are resident.
    public let peakLayer: Int
    /// Slots of a cache that evicts nothing: `H_{K-1}` per cell.
    public let fullCacheSlots: Int
    private let storage: CellStorage
    private let headWidth: Int
    private let layerCount: Int
    private let peakBytes: Int
    private let fullBytes: Int
    /// Slots and bytes resident after each step, [scale][layer].
    private let slotsByStep: [Int]
    private let bytesByStep: [Int]

    /// Works out the ledger.
    ///
    /// - Parameters:
    ///   - capacities: tokens per cell; a shared table counts once for every branch.
    ///   - storage: the format of every cell.
    ///   - branches: sequences per image, 2 with guidance.
    /// - Precondition: the table has the schedule's scales, and either one branch or `branches`.
    public init(
        capacities: CellCapacities, schedule: ScaleSchedule, storage: CellStorage, headWidth: Int, branches: Int
    ) {
        precondition(capacities.scaleCount == schedule.scaleCount, "the table has the schedule's scales")
        precondition(
            capacities.branchCount == 1 || capacities.branchCount == branches, "the table has one or all branches")
        let scaleCount = schedule.scaleCount, layerCount = capacities.layerCount
        // Slots and bytes of one layer when one scale begins, over all branches and heads.
        func extent(_ scale: Int, _ layer: Int) -> (slots: Int, bytes: Int) {
            var (slots, bytes) = (0, 0)
            for branch in 0..<branches {
                for head in 0..<capacities.headCount {
                    let capacity = capacities[branch, scale, layer, head]
                    slots += capacity
                    bytes += capacity * storage[branch, layer, head].bytesPerSlot(headWidth: headWidth)
                }
            }
            return (slots, bytes)
        }
        var slotsByScale: [Int] = [], slotsByStep: [Int] = [], bytesByStep: [Int] = []
        var (residentSlots, peakBytes, peakScale, peakLayer) = (0, 0, 0, 0)
        var before = (0..<layerCount).map { extent(0, $0) }
        var (slots, bytes) = before.reduce((0, 0)) { ($0.0 + $1.slots, $0.1 + $1.bytes) }
        for scale in 0..<scaleCount {
            slotsByScale.append(slots)
            for layer in 0..<layerCount {
                if scale < scaleCount - 1 {
                    let after = extent(scale + 1, layer)
                    slots += after.slots - before[layer].slots
                    bytes += after.bytes - before[layer].bytes
                    before[layer] = after
                }
                slotsByStep.append(slots)
                bytesByStep.append(bytes)
                residentSlots = max(residentSlots, slots)
                if bytes > peakBytes { (peakBytes, peakScale, peakLayer) = (bytes, scale, layer) }
            }
        }
        self.branches = branches
        leastBytesPerSlot = storage.occurring.map { $0.bytesPerSlot(headWidth: headWidth) }.min() ?? 0
        self.slotsByScale = slotsByScale
        self.residentSlots = residentSlots
        self.peakScale = peakScale
        self.peakLayer = peakLayer
        self.peakBytes = peakBytes
        fullCacheSlots = schedule.finalHistoryTokens * branches * layerCount * capacities.headCount
        fullBytes = (0..<branches).reduce(0) { sum, branch in
            (0..<layerCount).reduce(sum) { sum, layer in
                (0..<capacities.headCount).reduce(sum) {
                    $0 + schedule.finalHistoryTokens * storage[branch, layer, $1].bytesPerSlot(headWidth: headWidth)
                }
            }
        }
        self.storage = storage
        self.headWidth = headWidth
        self.layerCount = layerCount
        self.slotsByStep = slotsByStep
        self.bytesByStep = bytesByStep
    }

    /// Slots resident right after `layer` has attended at `scale` and its region has changed.
    ///
    /// - Precondition: the indices are in range.
    public func slots(scale: Int, layer: Int) -> Int {
        precondition((0..<layerCount).contains(layer), "no such layer")
        return slotsByStep[scale * layerCount + layer]
    }

    /// Bytes resident right after `layer` has attended at `scale` and its region has changed, for one image.
    ///
    /// - Precondition: the indices are in range.
    public func bytes(scale: Int, layer: Int) -> Int {
        precondition((0..<layerCount).contains(layer), "no such layer")
        return bytesByStep[scale * layerCount + layer]
    }

    /// The most bytes resident after any step, for `batch` images.
    ///
    /// - Precondition: the product does not overflow.
    public func residentBytes(batch: Int = 1) -> Int { peakBytes * batch }

    /// The bytes of a cache that evicts nothing, in the same storage formats, for `batch` images.
    ///
    /// - Precondition: the product does not overflow.
    public func fullCacheBytes(batch: Int = 1) -> Int { fullBytes * batch }

    /// The bytes of a cache that evicts nothing as ScaleKV's released code stores it, keys in float32 and values in
    /// bfloat16, for `batch` images: one denominator for profiles of different formats.
    ///
    /// - Precondition: the product does not overflow.
    public func referenceFullCacheBytes(batch: Int = 1) -> Int {
        fullCacheSlots * Self.referenceBytesPerChannelPair * headWidth * batch
    }

    /// How the predicted bytes come about, with the numbers filled in, for one image.
    public var formula: String {
        let steps =
            "max over steps (scale k, layer l) of [sum of capacities at k + 1 over layers <= l + sum of capacities at k "
            + "over layers > l], \(branches) \(branches == 1 ? "branch" : "branches"), all heads, the last scale not "
            + "stored: "
        if let format = storage.uniform {
            return steps + "\(residentSlots) slots at scale \(peakScale), layer \(peakLayer); x "
                + "\(leastBytesPerSlot) bytes per slot (key and value, \(format), \(headWidth) channels) = "
                + "\(residentBytes()) bytes"
        }
        let formats = storage.occurring.map { "\($0) \($0.bytesPerSlot(headWidth: headWidth))" }
        return steps + "each x the bytes per slot of its cell (key and value, \(headWidth) channels: "
            + "\(formats.joined(separator: ", "))) = \(residentBytes()) bytes at scale \(peakScale), "
            + "layer \(peakLayer)"
    }
}
