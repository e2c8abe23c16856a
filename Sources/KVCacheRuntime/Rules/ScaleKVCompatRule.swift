/// Keeps what ScaleKV's released code keeps (StargazerX0/ScaleKV: scale_kv.py), quirks included.
///
/// Differences from the paper, all deliberate: the observing queries are plain projections, without bias,
/// normalisation, head scale or rotation (``SlotCandidates/rawQueries``), against keys as cached; scores are sums of
/// raw products divided by sqrt(D), no softmax; pooling goes over neighbours in cache order, the window's own scores
/// being -infinity, which a maximum ignores and a mean spreads. The window is the upper left of the middle of each
/// patch of a square map; on a map that is not square, or smaller than the window's grid, it is the last tokens. It
/// always stays.
///
/// Ties go to the lowest index; in the released code they are the library's choice. Deviation: a capacity below the
/// window, where the released code fails, keeps the first of the window.
public struct ScaleKVCompatRule: SlotSelector {
    public static let name = "scalekv-compat"
    /// The observing tokens; a square number gives a grid.
    public let window: Int
    /// How scores are pooled; released is the maximum over 5.
    public let pooling: NeighbourPooling
    /// Whether the size of the map is taken from the released table by the scale's number, as the released code does
    /// whatever the schedule, instead of from the map itself. The two agree on Infinity's 1:1 schedules.
    public let usesReleasedSizes: Bool

    /// The released table: tokens of the maps at 1:1, 1M.
    private static let releasedTokenCounts = [1, 4, 16, 36, 64, 144, 256, 400, 576, 1024, 1600, 2304, 4096]

    /// Makes the rule.
    /// - Precondition: `window` is positive.
    public init(
        window: Int = 16, pooling: NeighbourPooling = .max(reach: 2), usesReleasedSizes: Bool = false
    ) {
        precondition(window > 0, "window is positive")
        self.window = window
        self.pooling = pooling
        self.usesReleasedSizes = usesReleasedSizes
    }

    public var needsKeys: Bool { true }
    public var needsRawQueries: Bool { true }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let observers = observers(of: candidates)
        guard kept.count > observers.count else {
            for place in kept.indices { kept[place] = Int32(observers[place]) }
            return
        }
        var scores = pooledScores(candidates, observers: observers)
        for index in observers { scores[index] = .infinity }
        keepHighest(candidates.count, into: kept) { scores[$0] }
    }

    /// The window as candidate indices, ascending.
    func observers(of candidates: SlotCandidates) -> [Int] {
        let count = candidates.count, table = Self.releasedTokenCounts
        let assumed =
            usesReleasedSizes ? table[min(max(candidates.scale, 0), table.count - 1)] : candidates.tokenCount
        let size = min(assumed, count), side = Self.squareRoot(size), grid = Self.squareRoot(window)
        guard side * side == size, grid * grid == window, side >= grid else {
            return Array(max(0, count - window)..<count)
        }
        let patch = side / grid
        let centres = (0..<grid).map { $0 * patch + (patch - 1) / 2 }
        return centres.flatMap { row in centres.map { count - size + row * side + $0 } }
    }

    /// The pooled score of every candidate, the window's being -infinity before pooling.
    func pooledScores(_ candidates: SlotCandidates, observers: [Int]) -> [Double] {
        guard let queries = candidates.rawQueries, let keys = candidates.keys else {
            return [Double](repeating: 0, count: candidates.count)
        }
        let width = candidates.headWidth, tokens = candidates.tokenCount
        // The sum of products is the product with the sum.
        var sum = [Double](repeating: 0, count: width)
        for index in observers {
            let query = queries + min(max(index - candidates.historyCount, 0), tokens - 1) * width
            for c in 0..<width { sum[c] += Double(query[c]) }
        }
        let divisor = Double(width).squareRoot()
        var scores = (0..<candidates.count).map { index -> Double in
            let key = keys[index]
            return (0..<width).reduce(0) { $0 + sum[$1] * Double(key[$1]) } / divisor
        }
        for index in observers { scores[index] = -.infinity }
        return pooling(scores)
    }

    /// The whole part of the root.
    private static func squareRoot(_ number: Int) -> Int { Int(Double(number).squareRoot()) }
}
