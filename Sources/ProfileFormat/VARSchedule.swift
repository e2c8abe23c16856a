/// The schedules of the released VAR checkpoints: square maps, for pictures of 256 or 512 pixels a side.
///
/// A checkpoint runs one of them only, because it learned a position for every token. Source: `models.md` section 2.1.
public struct VARSchedule: Sendable, Hashable, CustomStringConvertible {
    /// Pixels along a side of the picture, 16 a token of the last map.
    public let pixels: Int
    /// Tokens along a side of each map, first scale first.
    public let sides: [Int]

    /// 256 pixels: d16, d20, d24, d30.
    public static let small = VARSchedule(256, [1, 2, 3, 4, 5, 6, 8, 10, 13, 16])
    /// 512 pixels: d36.
    public static let large = VARSchedule(512, [1, 2, 3, 4, 6, 9, 13, 18, 24, 32])
    /// Both.
    public static let all = [small, large]

    private init(_ pixels: Int, _ sides: [Int]) {
        self.pixels = pixels
        self.sides = sides
    }

    /// The schedule of so many tokens, by which a checkpoint's positions tell theirs; nil if it is none of them.
    public init?(totalTokens: Int) {
        guard let found = Self.all.first(where: { $0.schedule.totalTokens == totalTokens }) else { return nil }
        self = found
    }

    /// The token maps. VAR has no rotary positions; the last map stands in the place of their reference grid.
    public var schedule: ScaleSchedule {
        let grids = sides.map { ScaleSchedule.Grid(height: $0, width: $0) }
        return ScaleSchedule(checked: grids, ropeGrid: grids[grids.count - 1])
    }

    /// For people, for example `256 pixels`.
    public var description: String { "\(pixels) pixels" }
}
