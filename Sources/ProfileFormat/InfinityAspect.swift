import VernierCore

/// The shape of the pictures an Infinity model draws: one of the official aspect templates, eight as tall as wide or
/// taller and their seven transposes.
///
/// Source: `models.md` section 3.2, FoundationVision/Infinity: `infinity/utils/dynamic_resolution.py`. The official code
/// names a template by height over width; pictures are named by width and height, so 4:3 here is wide and 0.75 there.
public struct InfinityAspect: Sendable, Hashable, CustomStringConvertible {
    /// Width and height in smallest whole numbers, for example 4 and 3: nominal, grids come near it.
    public let width: Int
    public let height: Int
    /// The official name: height over width in thousandths, cut.
    public let thousandths: Int

    /// Every template, in the official order: each tall one before its transpose.
    public static let all: [InfinityAspect] = [
        InfinityAspect(1, 1, 1000),
        InfinityAspect(4, 5, 1250), InfinityAspect(5, 4, 800),
        InfinityAspect(3, 4, 1333), InfinityAspect(4, 3, 750),
        InfinityAspect(2, 3, 1500), InfinityAspect(3, 2, 666),
        InfinityAspect(4, 7, 1750), InfinityAspect(7, 4, 571),
        InfinityAspect(1, 2, 2000), InfinityAspect(2, 1, 500),
        InfinityAspect(2, 5, 2500), InfinityAspect(5, 2, 400),
        InfinityAspect(1, 3, 3000), InfinityAspect(3, 1, 333),
    ]
    /// The square template.
    public static let square = all[0]

    private init(_ width: Int, _ height: Int, _ thousandths: Int) {
        self.width = width
        self.height = height
        self.thousandths = thousandths
    }

    /// Height over width by the official name.
    public var heightPerWidth: Double { Double(thousandths) / 1000 }

    /// The grid of the last of the 13 scales, which rotary positions are scaled to at every resolution.
    public var referenceGrid: ScaleSchedule.Grid { grids[grids.count - 1] }

    /// The token maps of all 13 scales, first scale first.
    public var grids: [ScaleSchedule.Grid] {
        let tall = Self.tallSides.first { $0.thousandths == (height >= width ? thousandths : transposed.thousandths) }
        return (tall?.sides ?? []).map { side in
            height >= width
                ? ScaleSchedule.Grid(height: side.0, width: side.1) : ScaleSchedule.Grid(height: side.1, width: side.0)
        }
    }

    /// The template with height and width exchanged; a square is its own.
    public var transposed: InfinityAspect { Self.all.first { $0.width == height && $0.height == width } ?? self }

    /// The template with the smallest absolute difference in height over width; of two as near the first of ``all``, as
    /// in the official code.
    public static func nearest(heightPerWidth: Double) -> InfinityAspect {
        var best = square
        for candidate in all
        where abs(candidate.heightPerWidth - heightPerWidth) < abs(best.heightPerWidth - heightPerWidth) {
            best = candidate
        }
        return best
    }

    /// How far, in parts of the template's height over width, a named aspect may be from its template: 16:9 is 1.5 % off
    /// 7:4, and 21:9 has none.
    public static let tolerance = 0.03

    /// The template that `text` names: width and height as in `4:3`, or height over width as in `0.75`.
    ///
    /// An aspect within ``tolerance`` of a template takes it. Throws ``VernierError/Code/invalidArgument`` with all names
    /// for any other, where the official code would draw another shape than asked for.
    public init(named text: String) throws {
        let failure = VernierError(
            .invalidArgument, at: "aspect \(JSONValue.quoted(text))",
            expected: "one of \(Self.all.map(\.description).joined(separator: ", ")) (width:height), "
                + "a number (height over width), or what is within 3 % of one of them",
            found: "another")
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Double($0) }
        let ratio: Double
        switch (parts.count, parts.first ?? nil, parts.last ?? nil) {
        case (1, let heightPerWidth?, _): ratio = heightPerWidth
        case (2, let width?, let height?) where width > 0: ratio = height / width
        default: throw failure
        }
        guard ratio.isFinite, ratio > 0 else { throw failure }
        let template = Self.nearest(heightPerWidth: ratio)
        guard abs(ratio - template.heightPerWidth) <= Self.tolerance * template.heightPerWidth else { throw failure }
        self = template
    }

    /// Width and height, for example `4:3`.
    public var description: String { "\(width):\(height)" }

    /// Sides (height, width) of the 13 token maps of the tall templates.
    private static let tallSides: [(thousandths: Int, sides: [(Int, Int)])] = [
        (
            1000,
            [
                (1, 1), (2, 2), (4, 4), (6, 6), (8, 8), (12, 12), (16, 16), (20, 20), (24, 24), (32, 32), (40, 40),
                (48, 48), (64, 64),
            ]
        ),
        (
            1250,
            [
                (1, 1), (2, 2), (3, 3), (5, 4), (10, 8), (15, 12), (20, 16), (25, 20), (30, 24), (35, 28), (45, 36),
                (55, 44), (70, 56),
            ]
        ),
        (
            1333,
            [
                (1, 1), (2, 2), (4, 3), (8, 6), (12, 9), (16, 12), (20, 15), (24, 18), (28, 21), (36, 27), (48, 36),
                (60, 45), (72, 54),
            ]
        ),
        (
            1500,
            [
                (1, 1), (2, 2), (3, 2), (6, 4), (9, 6), (15, 10), (21, 14), (27, 18), (33, 22), (39, 26), (48, 32),
                (63, 42), (78, 52),
            ]
        ),
        (
            1750,
            [
                (1, 1), (2, 2), (3, 3), (7, 4), (11, 6), (14, 8), (21, 12), (28, 16), (35, 20), (42, 24), (56, 32),
                (70, 40), (84, 48),
            ]
        ),
        (
            2000,
            [
                (1, 1), (2, 2), (4, 2), (6, 3), (10, 5), (16, 8), (22, 11), (30, 15), (38, 19), (46, 23), (60, 30),
                (74, 37), (90, 45),
            ]
        ),
        (
            2500,
            [
                (1, 1), (2, 2), (5, 2), (10, 4), (15, 6), (20, 8), (25, 10), (30, 12), (40, 16), (50, 20), (65, 26),
                (80, 32), (100, 40),
            ]
        ),
        (
            3000,
            [
                (1, 1), (2, 2), (6, 2), (9, 3), (15, 5), (21, 7), (27, 9), (36, 12), (45, 15), (54, 18), (72, 24),
                (90, 30), (111, 37),
            ]
        ),
    ]
}
