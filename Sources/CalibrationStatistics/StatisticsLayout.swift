import ProfileFormat
import VernierCore

/// Where each number of a calibration's statistics lies: dimensions, strides, offsets.
///
/// The order of dimensions is `[branch g][layer l][head h][scale k]` everywhere, the last one fastest. All indices
/// are 0-based. A *cell* is one (g, l, h, k). Statistics per history position are ragged over scales: a head has one
/// row of ``positionsPerHead`` = sum_k H_k values, where scale k owns the H_k values from ``positionOffset(scale:)``.
public struct StatisticsLayout: Sendable, Hashable {
    /// Branches of classifier-free guidance, G.
    public let branches: Int
    /// Transformer layers, L.
    public let layers: Int
    /// Query heads of a layer, H.
    public let heads: Int
    /// The scales and their token counts.
    public let schedule: ScaleSchedule
    /// The top counts K' of ``Statistic/topMass``, in tokens, ascending.
    public let topCounts: [Int]
    /// Random signs of every ``Sketch``, R; 0: no sketches.
    public let signCount: Int
    private let positionOffsets: [Int]

    /// The most numbers that one statistic may have (2^36, half a tebibyte); beyond it a layout is refused.
    public static let mostValues = 1 << 36

    /// The most signs that sketches may have.
    public static let mostSigns = 4096

    /// Lays out the statistics of a model.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` if a dimension is not positive, if `topCounts` is empty or not
    /// strictly ascending from at least 1, if `signCount` is not 0 to ``mostSigns``, and
    /// ``VernierError/Code/outOfMemory`` beyond ``mostValues``.
    public init(
        branches: Int, layers: Int, heads: Int, schedule: ScaleSchedule, topCounts: [Int], signCount: Int = 0
    ) throws {
        var problems: [String] = []
        if !(0...Self.mostSigns).contains(signCount) {
            problems.append("expected 0 to \(Self.mostSigns) signs, found \(signCount)")
        }
        for (name, value) in [("branches", branches), ("layers", layers), ("heads", heads)] where value < 1 {
            problems.append("expected at least 1 for \(name), found \(value)")
        }
        if topCounts.isEmpty { problems.append("expected at least one top count, found none") }
        if let first = topCounts.first, first < 1 || zip(topCounts, topCounts.dropFirst()).contains(where: { $0 >= $1 })
        {
            problems.append("expected top counts that ascend from at least 1, found \(topCounts)")
        }
        guard problems.isEmpty else {
            throw VernierError(.invalidArgument, at: "statistics layout", problems: problems)
        }
        self.branches = branches
        self.layers = layers
        self.heads = heads
        self.schedule = schedule
        self.topCounts = topCounts
        self.signCount = signCount
        var offsets = [0]
        var overflows = false
        for scale in 0..<schedule.scaleCount {
            let (next, overflow) = offsets[scale].addingReportingOverflow(schedule.historyTokens(scale))
            overflows = overflows || overflow
            offsets.append(next)
        }
        positionOffsets = offsets
        let scales = schedule.scaleCount
        let widest = max(scales * max(scales, topCounts.count), offsets[scales], 1)
        var values = max(signCount, 1)
        for factor in [branches, layers, heads, widest] {
            let (product, overflow) = values.multipliedReportingOverflow(by: factor)
            overflows = overflows || overflow
            values = product
        }
        guard !overflows, values <= Self.mostValues else {
            throw VernierError(
                .outOfMemory, at: "statistics layout", expected: "at most \(Self.mostValues) numbers a statistic",
                found: "\(branches) branches, \(layers) layers, \(heads) heads, \(widest) numbers a head, "
                    + "\(signCount) signs")
        }
    }

    /// Lays out the statistics of the model `identity` under `schedule`.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` besides for a model whose weights are unknown: nothing was measured on it.
    public init(identity: ModelIdentity, schedule: ScaleSchedule, topCounts: [Int], signCount: Int = 0) throws {
        guard identity.weightsDigest != nil else {
            throw VernierError(
                .invalidArgument, at: "statistics layout", expected: "a model of known weights", found: "none named")
        }
        try self.init(
            branches: identity.branches, layers: identity.layers, heads: identity.heads, schedule: schedule,
            topCounts: topCounts, signCount: signCount)
    }

    /// Scales of the schedule, K.
    public var scaleCount: Int { schedule.scaleCount }
    /// Cells, G * L * H * K.
    public var cellCount: Int { branches * layers * heads * scaleCount }
    /// Rows of the statistics per history position, G * L * H.
    public var headRowCount: Int { branches * layers * heads }
    /// Values in a row of the statistics per history position: sum_k H_k.
    public var positionsPerHead: Int { positionOffsets[scaleCount] }

    /// Where scale k's H_k values begin in a head's row of history positions: sum over j < k of H_j.
    public func positionOffset(scale: Int) -> Int { positionOffsets[scale] }

    /// The index of a cell in `[G, L, H, K]`.
    ///
    /// - Precondition: every index is within its dimension.
    public func cell(branch: Int, layer: Int, head: Int, scale: Int) -> Int {
        precondition(scale >= 0 && scale < scaleCount, "every index is within its dimension")
        return headRow(branch: branch, layer: layer, head: head) * scaleCount + scale
    }

    /// The index of a cell's value for the top count `topCounts[topCountIndex]` in `[G, L, H, K, T]`.
    ///
    /// - Precondition: every index is within its dimension.
    public func topMassIndex(branch: Int, layer: Int, head: Int, scale: Int, topCountIndex: Int) -> Int {
        precondition(topCounts.indices.contains(topCountIndex), "every index is within its dimension")
        return cell(branch: branch, layer: layer, head: head, scale: scale) * topCounts.count + topCountIndex
    }

    /// The index of a cell's value for a source scale in `[G, L, H, K, K]`.
    ///
    /// - Precondition: every index is within its dimension.
    public func sourceMassIndex(branch: Int, layer: Int, head: Int, scale: Int, source: Int) -> Int {
        precondition(source >= 0 && source < scaleCount, "every index is within its dimension")
        return cell(branch: branch, layer: layer, head: head, scale: scale) * scaleCount + source
    }

    /// Where a cell's H_k values lie in `[G, L, H, P]`; history position p of scale k is element p of the range.
    ///
    /// - Precondition: every index is within its dimension.
    public func positions(branch: Int, layer: Int, head: Int, scale: Int) -> Range<Int> {
        precondition(scale >= 0 && scale < scaleCount, "every index is within its dimension")
        let row = headRow(branch: branch, layer: layer, head: head) * positionsPerHead
        return row + positionOffsets[scale]..<row + positionOffsets[scale + 1]
    }

    /// Where a head's H_{K-1} rows of ``Sketch/value`` lie in `[G, L, H, H_{K-1}]`.
    ///
    /// - Precondition: every index is within its dimension.
    public func finalPositions(branch: Int, layer: Int, head: Int) -> Range<Int> {
        let tokens = schedule.finalHistoryTokens
        let start = headRow(branch: branch, layer: layer, head: head) * tokens
        return start..<start + tokens
    }

    /// The index of a head in `[G, L, H]`.
    private func headRow(branch: Int, layer: Int, head: Int) -> Int {
        precondition(
            branch >= 0 && branch < branches && layer >= 0 && layer < layers && head >= 0 && head < heads,
            "every index is within its dimension")
        return (branch * layers + layer) * heads + head
    }

    /// The dimensions of a statistic's values, for example `[G, L, H, K, T]`.
    public func shape(of statistic: Statistic) -> [Int] {
        let head = [branches, layers, heads]
        return switch statistic.extent {
        case .cell: head + [scaleCount]
        case .cellAndTopCount: head + [scaleCount, topCounts.count]
        case .cellAndSource: head + [scaleCount, scaleCount]
        case .position: head + [positionsPerHead]
        }
    }

    /// The dimensions of a sketch's values, for example `[G, L, H, P, R]`.
    public func shape(of sketch: Sketch) -> [Int] {
        [branches, layers, heads, sketch.dependsOnScale ? positionsPerHead : schedule.finalHistoryTokens, signCount]
    }

    /// The number of a sketch's values: the product of its ``shape(of:)``, 0 without signs.
    public func valueCount(of sketch: Sketch) -> Int { shape(of: sketch).reduce(1, *) }

    /// The number of a statistic's values: the product of its ``shape(of:)``.
    public func valueCount(of statistic: Statistic) -> Int { shape(of: statistic).reduce(1, *) }

    /// The name of a cell for messages: `branch 0, layer 3, head 1, scale 5`.
    func cellName(_ cell: Int) -> String {
        let head = cell / scaleCount
        return "branch \(head / heads / layers), layer \(head / heads % layers), head \(head % heads), "
            + "scale \(cell % scaleCount)"
    }

    /// The name of one value of a sketch for messages.
    func valueName(_ sketch: Sketch, _ index: Int) -> String {
        let (row, sign) = (index / max(signCount, 1), index % max(signCount, 1))
        if sketch.dependsOnScale { return "\(valueName(.positionMass, row)), sign \(sign)" }
        let (head, position) = (row / schedule.finalHistoryTokens, row % schedule.finalHistoryTokens)
        return "branch \(head / heads / layers), layer \(head / heads % layers), head \(head % heads), "
            + "position \(position), sign \(sign)"
    }

    /// The name of one value of a statistic for messages.
    func valueName(_ statistic: Statistic, _ index: Int) -> String {
        switch statistic.extent {
        case .cell: return cellName(index)
        case .cellAndTopCount:
            return "\(cellName(index / topCounts.count)), top count \(topCounts[index % topCounts.count])"
        case .cellAndSource: return "\(cellName(index / scaleCount)), source scale \(index % scaleCount)"
        case .position:
            let position = index % positionsPerHead
            let scale = (positionOffsets.firstIndex { $0 > position } ?? 1) - 1
            let head = index / positionsPerHead
            return "\(cellName(head * scaleCount + scale)), position \(position - positionOffsets[scale])"
        }
    }
}
