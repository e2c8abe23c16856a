/// Signed distances of a shape on a grid, so that laying it over a patch costs four look-ups a pixel.
struct ShapeAtlas: Sendable {
    /// The grid covers `-reach...reach` on both axes in units of the circumradius.
    static let reach = 1.6
    private static let steps = 128

    /// The area at unit circumradius.
    let area: Double
    private let distances: [Float]

    /// Tabulates a shape.
    init(_ shape: SceneShape) {
        area = shape.area
        let side = Self.steps + 1
        distances = (0..<side * side).map { index in
            let x = (Double(index % side) / Double(Self.steps) * 2 - 1) * Self.reach
            let y = (Double(index / side) / Double(Self.steps) * 2 - 1) * Self.reach
            return Float(shape.signedDistance(x: x, y: y))
        }
    }

    /// The distance from a point to the outline, negative inside, bilinear between grid points; nil beyond the grid.
    func distance(x: Double, y: Double) -> Double? {
        let gx = (x / Self.reach + 1) * 0.5 * Double(Self.steps)
        let gy = (y / Self.reach + 1) * 0.5 * Double(Self.steps)
        guard gx >= 0, gy >= 0, gx < Double(Self.steps), gy < Double(Self.steps) else { return nil }
        let (column, row) = (Int(gx), Int(gy))
        let (fx, fy) = (gx - Double(column), gy - Double(row))
        let start = row * (Self.steps + 1) + column
        let upper = Double(distances[start]) * (1 - fx) + Double(distances[start + 1]) * fx
        let next = start + Self.steps + 1
        let lower = Double(distances[next]) * (1 - fx) + Double(distances[next + 1]) * fx
        return upper * (1 - fy) + lower * fy
    }
}
