/// One of the statistics that a calibration measures: its name, its shape and where its values lie.
///
/// Everything that treats all statistics alike (adding, merging, checking, the statistics file) walks ``all``, so
/// a new statistic is one new member here and one new array in ``AttentionStatistics``. `a` below is the softmax
/// attention of the queries of scale k over history and current map, `mean_i` the mean over those queries.
///
/// Legend: G branches, L layers, H heads, K scales, T top counts, P history positions of a head over all scales
/// (``StatisticsLayout/positionsPerHead``).
public struct Statistic: Sendable, Hashable, CustomStringConvertible {
    /// What one statistic has a value for.
    enum Extent: Sendable, Hashable { case cell, cellAndTopCount, cellAndSource, position }

    /// The statistic's name in messages and in statistics files, for example `currentMass`.
    public let name: String
    let extent: Extent
    /// Where the values of ``AttentionStatistics`` lie.
    let values: any WritableKeyPath<AttentionStatistics, [Double]> & Sendable

    /// mean_i of the attention mass on the current map. `[G, L, H, K]`, 0 to 1.
    public static let currentMass = Statistic(name: "currentMass", extent: .cell, values: \.currentMass)
    /// mean_i of the sum of the T'-th top count largest a in the history. `[G, L, H, K, T]`, 0 to 1.
    public static let topMass = Statistic(name: "topMass", extent: .cellAndTopCount, values: \.topMass)
    /// mean_i of the attention mass on source scale j, zero for j >= k. `[G, L, H, K, K]`, 0 to 1.
    public static let sourceMass = Statistic(name: "sourceMass", extent: .cellAndSource, values: \.sourceMass)
    /// mean_i of the entropy of row a_i. `[G, L, H, K]`, nats.
    public static let rowEntropy = Statistic(name: "rowEntropy", extent: .cell, values: \.rowEntropy)
    /// Variance over all columns (history and current map) of the column's mean_i a. `[G, L, H, K]`.
    public static let columnVariance = Statistic(name: "columnVariance", extent: .cell, values: \.columnVariance)
    /// mean_i of a on history position p. `[G, L, H, P]`, 0 to 1.
    public static let positionMass = Statistic(name: "positionMass", extent: .position, values: \.positionMass)
    /// mean_i of a_ip * norm2(W_o^h v_p): mass times how far that value moves the residual stream. `[G, L, H, P]`.
    public static let positionWeight = Statistic(name: "positionWeight", extent: .position, values: \.positionWeight)

    /// All statistics, in the order of the statistics file.
    public static let all: [Statistic] = [
        currentMass, topMass, sourceMass, rowEntropy, columnVariance, positionMass, positionWeight,
    ]

    /// Whether one row per prompt is kept beside the sum: all but the statistics per history position, which are large.
    public var keepsRows: Bool { extent != .position }

    /// The statistics of which one row per prompt is kept.
    public static let withRows: [Statistic] = all.filter(\.keepsRows)

    /// The statistic's name.
    public var description: String { name }

    /// Two statistics are the same if their names are.
    public static func == (left: Statistic, right: Statistic) -> Bool { left.name == right.name }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
