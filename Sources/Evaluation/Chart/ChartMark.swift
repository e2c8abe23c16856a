/// One thing drawn on a chart; coordinates in points from the top left corner.
enum ChartMark {
    /// A stroke; `dash` holds the lengths of strokes and gaps in turn, empty for an unbroken one.
    case line(x1: Double, y1: Double, x2: Double, y2: Double, width: Double, dash: [Double], colour: SIMD3<UInt8>)
    /// A filled circle.
    case disc(x: Double, y: Double, radius: Double, colour: SIMD3<UInt8>)
    /// One line of text; `y` is the middle of its capitals.
    case text(x: Double, y: Double, anchor: Anchor, text: String)

    /// Which part of a text stands at its place.
    enum Anchor: String { case start, middle, end }

    static let black = SIMD3<UInt8>(0, 0, 0)
    static let grid = SIMD3<UInt8>(225, 225, 225)
}
