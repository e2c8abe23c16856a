import VernierCore

/// The token maps of a next-scale model, smallest first; scales count from 0.
///
/// With K scales of `n_k = height * width` tokens, scale k attends a history of `H_k = n_0 + .. + n_{k-1}` tokens.
/// The last scale's keys and values are never read again, so a full cache is `H_{K-1}` tokens, not all of them.
public struct ScaleSchedule: Sendable, Hashable, CustomStringConvertible {
    /// The size of one token map.
    public struct Grid: Sendable, Hashable {
        /// Rows of tokens.
        public let height: Int
        /// Columns of tokens.
        public let width: Int
        /// `height * width`.
        public var tokenCount: Int { height * width }

        /// Makes a grid; sides are checked where a schedule is made.
        public init(height: Int, width: Int) {
            self.height = height
            self.width = width
        }
    }

    /// The token maps, 1 to 64 of them, sides from 1 to 4096.
    public let grids: [Grid]
    /// The reference grid that rotary positions are scaled to.
    public let ropeGrid: Grid
    /// `H_0 ... H_K`: entry k is the number of tokens before scale k.
    private let tokensBefore: [Int]

    /// Checks and makes a schedule.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` naming everything that is out of range.
    public init(grids: [Grid], ropeGrid: Grid) throws {
        var problems: [String] = []
        if !FormatLimits.scales.contains(grids.count) {
            problems.append("expected \(FormatLimits.scales.text) scales, found \(grids.count)")
        }
        for (place, grid) in [("RoPE grid", ropeGrid)] + grids.prefix(64).enumerated().map({ ("scale \($0)", $1) })
        where !FormatLimits.gridSide.contains(grid.height) || !FormatLimits.gridSide.contains(grid.width) {
            let sides = FormatLimits.gridSide.text
            problems.append("\(place): expected sides of \(sides) tokens, found \(grid.height) x \(grid.width)")
        }
        guard problems.isEmpty else {
            throw VernierError(.invalidArgument, at: "scale schedule", problems: problems)
        }
        self.init(checked: grids, ropeGrid: ropeGrid)
    }

    /// Takes grids that are known to be in range.
    init(checked grids: [Grid], ropeGrid: Grid) {
        self.grids = grids
        self.ropeGrid = ropeGrid
        var tokensBefore = [0]
        var total = 0
        for grid in grids {
            total += grid.tokenCount
            tokensBefore.append(total)
        }
        self.tokensBefore = tokensBefore
    }

    /// K, the number of scales.
    public var scaleCount: Int { grids.count }

    /// All tokens of all scales.
    public var totalTokens: Int { tokensBefore[scaleCount] }

    /// `n_k`, the tokens of one scale.
    ///
    /// - Precondition: `scale` is in `0..<scaleCount`.
    public func tokenCount(_ scale: Int) -> Int { grids[scale].tokenCount }

    /// `H_k = n_0 + .. + n_{k-1}`, the tokens before one scale.
    ///
    /// - Precondition: `scale` is in `0...scaleCount`.
    public func historyTokens(_ scale: Int) -> Int { tokensBefore[scale] }

    /// `H_{K-1}`, the tokens of a full cache: the last scale is never stored.
    public var finalHistoryTokens: Int { tokensBefore[scaleCount - 1] }

    /// What stands otherwise than in `other`, as readable sentences: `other` is what was expected, this is what was
    /// found.
    public func differences(from other: ScaleSchedule) -> [String] {
        var differences: [String] = []
        if grids != other.grids {
            differences.append("expected scales \(other), found \(self)")
        }
        if ropeGrid != other.ropeGrid {
            differences.append("expected RoPE grid \(Self.text([other.ropeGrid])), found \(Self.text([ropeGrid]))")
        }
        return differences
    }

    /// The sides of the token maps, and the name of a schedule that has one: `1x1 2x2 3x3`.
    public var description: String {
        Self.text(grids) + (InfinitySchedule(of: self).map { " (\($0))" } ?? "")
    }

    private static func text(_ grids: [Grid]) -> String {
        grids.map { "\($0.height)x\($0.width)" }.joined(separator: " ")
    }
}

extension ScaleSchedule {
    /// The schedule as `{"grids": [[height, width], ...], "ropeGrid": [height, width]}`.
    public var jsonValue: JSONValue {
        func pair(_ grid: Grid) -> JSONValue { [.integer(Int64(grid.height)), .integer(Int64(grid.width))] }
        return ["grids": .array(grids.map(pair)), "ropeGrid": pair(ropeGrid)]
    }

    /// Reads what ``jsonValue`` writes. Throws ``VernierError/Code/malformedFile`` at the member's place.
    public init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["grids", "ropeGrid"])
        func grid(_ cursor: JSONCursor) throws -> Grid {
            let sides = try cursor.elements(count: 2)
            return Grid(
                height: try sides[0].integer(in: FormatLimits.gridSide),
                width: try sides[1].integer(in: FormatLimits.gridSide))
        }
        let list = try cursor.member("grids")
        let elements = try list.elements()
        guard FormatLimits.scales.contains(elements.count) else {
            throw list.error(expected: "\(FormatLimits.scales.text) scales")
        }
        try self.init(grids: elements.map(grid), ropeGrid: grid(cursor.member("ropeGrid")))
    }
}

extension ClosedRange<Int> {
    /// `1 to 64`, for messages.
    var text: String { "\(lowerBound) to \(upperBound)" }
}
