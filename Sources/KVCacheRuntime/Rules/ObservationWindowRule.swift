import ProfileFormat

/// Scores keys by the attention of a few observing queries, the centroids of a grid of patches over the current map,
/// and keeps the observers themselves unless told that they only score (ScaleKV Eq. 5, arXiv 2505.19602; SnapKV, arXiv 2404.14469).
///
/// The map is cut into `side x side` patches; a patch of rows `a ..< b` has its centroid at row `(a + b - 1) / 2`
/// (whole-number division). Maps with fewer rows or columns than `side` have one patch per row or column. The masses
/// may be pooled over neighbours in cache order, as the paper does by mean, the window's own masses included. Deviation
/// from the released code, which fails there: a capacity below the window keeps the first observers in index order. The
/// released code differs from the paper; it is ``ScaleKVCompatRule``.
public struct ObservationWindowRule: SlotSelector {
    public static let name = "observation-window"
    /// Patches along each side of the map.
    public let side: Int
    /// How masses are pooled.
    public let pooling: NeighbourPooling
    /// Whether the observers are kept whatever their mass, as published; small capacities do better without.
    public let keepsWindow: Bool

    /// Makes the rule; the published window is 4 x 4.
    /// - Precondition: `side` is positive.
    public init(side: Int = 4, pooling: NeighbourPooling = .none, keepsWindow: Bool = true) {
        precondition(side > 0, "side is positive")
        self.side = side
        self.pooling = pooling
        self.keepsWindow = keepsWindow
    }

    /// The observing tokens of a map, ascending.
    public func observers(of grid: ScaleSchedule.Grid) -> [Int] {
        let rows = Self.centroids(grid.height, side), columns = Self.centroids(grid.width, side)
        return rows.flatMap { row in columns.map { row * grid.width + $0 } }
    }

    private static func centroids(_ extent: Int, _ side: Int) -> [Int] {
        let patches = min(side, extent)
        return (0..<patches).map { (extent * $0 / patches + extent * ($0 + 1) / patches - 1) / 2 }
    }

    public func rowWeights(for grid: ScaleSchedule.Grid) -> [Float]? {
        var weights = [Float](repeating: 0, count: grid.tokenCount)
        for token in observers(of: grid) { weights[token] = 1 }
        return weights
    }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let window = Set(
            !keepsWindow
                ? []
                : observers(of: candidates.schedule.grids[candidates.scale]).map { $0 + candidates.historyCount })
        let scores = pooling((0..<candidates.count).map { candidates.mass?[$0] ?? 0 })
        keepHighest(candidates.count, into: kept) { window.contains($0) ? .infinity : scores[$0] }
    }
}
