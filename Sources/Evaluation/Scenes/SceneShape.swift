import Foundation
import VernierCore

/// The outline of a shape at unit circumradius around its place; x points right, y down.
public struct SceneShape: Sendable, Hashable {
    private enum Outline: Sendable, Hashable {
        case polygon([[Double]])
        case disc
        case ring(inner: Double)
    }

    /// The shape's name in prompts.
    public let name: String
    private let outline: Outline

    /// Reads one member of the vocabulary's `shapes`.
    ///
    /// `{"kind": "circle"}`, `{"kind": "ring", "inner": 0.55}`, or `{"kind": "polygon", "points": [[x, y], ...]}` with
    /// at least three points of a simple closed outline.
    init(name: String, _ cursor: JSONCursor) throws {
        self.name = name
        let kind = try cursor.member("kind")
        switch try kind.string() {
        case "circle": outline = .disc
        case "ring": outline = .ring(inner: try cursor.member("inner").number(in: 0.05...0.95))
        case "polygon":
            let points = try cursor.member("points")
            let corners = try points.elements().map { try $0.elements(count: 2).map { try $0.number(in: -2...2) } }
            guard (3...64).contains(corners.count) else {
                throw points.error(expected: "3 to 64 points", found: "\(corners.count)")
            }
            guard Self.area(corners) > 0.05 else {
                throw points.error(expected: "an outline with an area", found: "\(Self.area(corners))")
            }
            outline = .polygon(corners)
        default: throw kind.error(expected: "circle, ring or polygon")
        }
    }

    /// The area at unit circumradius.
    public var area: Double {
        switch outline {
        case .polygon(let points): Self.area(points)
        case .disc: .pi
        case .ring(let inner): .pi * (1 - inner * inner)
        }
    }

    /// The distance from a point to the outline at unit circumradius, negative inside.
    public func signedDistance(x: Double, y: Double) -> Double {
        switch outline {
        case .disc: return (x * x + y * y).squareRoot() - 1
        case .ring(let inner):
            let radius = (x * x + y * y).squareRoot()
            return max(radius - 1, inner - radius)
        case .polygon(let points):
            var nearest = Double.infinity
            var isInside = false
            var previous = points[points.count - 1]
            for point in points {
                let (ax, ay, bx, by) = (previous[0], previous[1], point[0], point[1])
                let (ex, ey, px, py) = (bx - ax, by - ay, x - ax, y - ay)
                let length = ex * ex + ey * ey
                let along = length > 0 ? min(max((px * ex + py * ey) / length, 0), 1) : 0
                let (dx, dy) = (px - along * ex, py - along * ey)
                nearest = min(nearest, dx * dx + dy * dy)
                // Even-odd rule: does a ray to the right cross this edge?
                if (ay > y) != (by > y), x < ax + (y - ay) * ex / ey { isInside.toggle() }
                previous = point
            }
            return isInside ? -nearest.squareRoot() : nearest.squareRoot()
        }
    }

    /// The shoelace formula, without sign.
    private static func area(_ points: [[Double]]) -> Double {
        var twice = 0.0
        for (a, b) in zip(points, points.dropFirst() + points.prefix(1)) { twice += a[0] * b[1] - b[0] * a[1] }
        return abs(twice) / 2
    }
}
