/// How many tokens every cell keeps: a table over branch, scale, layer and head.
///
/// The entry at scale k is what the cell holds when scale k begins; entries at scale 0 are 0 in a valid table.
public struct CellCapacities: Sendable, Hashable {
    /// The branches told apart; 1 means that all branches share one table.
    public let branchCount: Int
    /// K, the number of scales.
    public let scaleCount: Int
    /// Transformer layers.
    public let layerCount: Int
    /// Heads per layer.
    public let headCount: Int
    /// Capacities in the order [branch][scale][layer][head].
    private var tokens: [Int]

    /// Makes a table with the same capacity everywhere.
    ///
    /// - Precondition: all counts are positive.
    public init(branchCount: Int, scaleCount: Int, layerCount: Int, headCount: Int, repeating: Int = 0) {
        self.init(
            branchCount: branchCount, scaleCount: scaleCount, layerCount: layerCount, headCount: headCount,
            tokens: Array(repeating: repeating, count: branchCount * scaleCount * layerCount * headCount))
    }

    /// Makes a table from its entries in the order [branch][scale][layer][head].
    ///
    /// - Precondition: all counts are positive, and there are as many entries as their product.
    init(branchCount: Int, scaleCount: Int, layerCount: Int, headCount: Int, tokens: [Int]) {
        precondition(
            branchCount > 0 && scaleCount > 0 && layerCount > 0 && headCount > 0, "all counts must be positive")
        precondition(
            tokens.count == branchCount * scaleCount * layerCount * headCount, "one entry per cell is needed")
        self.branchCount = branchCount
        self.scaleCount = scaleCount
        self.layerCount = layerCount
        self.headCount = headCount
        self.tokens = tokens
    }

    /// The capacity of one cell, in tokens. With a shared table every branch reads, and writes, the same entry.
    ///
    /// - Precondition: the indices are in range; any `branch` is if the table is shared.
    public subscript(branch: Int, scale: Int, layer: Int, head: Int) -> Int {
        get { tokens[offset(branch, scale, layer) + checked(head)] }
        set { tokens[offset(branch, scale, layer) + checked(head)] = newValue }
    }

    /// A shared table in which nothing is evicted: `H_k` tokens everywhere.
    public static func full(schedule: ScaleSchedule, layers: Int, heads: Int) -> CellCapacities {
        CellCapacities(
            branchCount: 1, scaleCount: schedule.scaleCount, layerCount: layers, headCount: heads,
            tokens: (0..<schedule.scaleCount).flatMap {
                repeatElement(schedule.historyTokens($0), count: layers * heads)
            })
    }

    /// The tokens that all layers and heads of one branch keep when `scale` begins.
    public func totalTokens(scale: Int, branch: Int) -> Int {
        let start = offset(branch, scale, 0)
        return tokens[start..<start + layerCount * headCount].reduce(0, +)
    }

    /// The tokens that all heads of one layer and branch keep when `scale` begins.
    public func totalTokens(scale: Int, branch: Int, layer: Int) -> Int {
        let start = offset(branch, scale, layer)
        return tokens[start..<start + headCount].reduce(0, +)
    }

    private func offset(_ branch: Int, _ scale: Int, _ layer: Int) -> Int {
        let row = branchCount == 1 ? 0 : branch
        precondition(
            (0..<branchCount).contains(row) && (0..<scaleCount).contains(scale) && (0..<layerCount).contains(layer),
            "no such cell")
        return ((row * scaleCount + scale) * layerCount + layer) * headCount
    }

    private func checked(_ head: Int) -> Int {
        precondition((0..<headCount).contains(head), "no such cell")
        return head
    }
}
