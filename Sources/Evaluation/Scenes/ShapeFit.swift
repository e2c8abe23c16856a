import Foundation

/// A shape laid over a patch: place, circumradius, turn and blur, and how well it covers the patch.
struct ShapeFit {
    var centreX: Double
    var centreY: Double
    /// The circumradius in pixels.
    var radius: Double
    /// The turn in radians, clockwise.
    var turn: Double
    /// The width in pixels over which the outline fades, at least 1: how blurred the shape is.
    var edgeWidth: Double
    /// Shared over joint coverage, `sum min(a, b) / sum max(a, b)` over pixels, 0 to 1.
    var overlap: Double

    /// The best fit of `shape` to `segment`.
    ///
    /// Starts from the patch's centre and the radius of equal area, then takes the best step of a fixed pattern (place,
    /// radius, blur, turn), halving the steps three times; the turn stays within `largestTurn` plus a margin.
    static func best(_ shape: ShapeAtlas, _ segment: SceneSegment, largestTurn: Double) -> ShapeFit {
        let centre = segment.centre
        var fit = ShapeFit(
            centreX: centre.x, centreY: centre.y, radius: (segment.area / shape.area).squareRoot(), turn: 0,
            edgeWidth: 1.5, overlap: 0)
        fit.overlap = overlap(shape, segment, fit)
        let turnLimit = largestTurn * 1.5 + 0.05
        var (place, growth, turn, fading) = (0.8, 0.08, max(largestTurn, 0.05), 0.5)
        for _ in 0..<4 {
            for _ in 0..<4 {
                var candidates: [ShapeFit] = []
                for sign in [-1.0, 1.0] {
                    for change in 0..<5 {
                        var candidate = fit
                        switch change {
                        case 0: candidate.centreX += sign * place
                        case 1: candidate.centreY += sign * place
                        case 2: candidate.radius *= 1 + sign * growth
                        case 3: candidate.edgeWidth = min(max(fit.edgeWidth * (1 + sign * fading), 1), 4)
                        default: candidate.turn = min(max(fit.turn + sign * turn, -turnLimit), turnLimit)
                        }
                        candidate.overlap = overlap(shape, segment, candidate)
                        candidates.append(candidate)
                    }
                }
                var better = fit
                for candidate in candidates where candidate.overlap > better.overlap { better = candidate }
                guard better.overlap > fit.overlap else { break }
                fit = better
            }
            place /= 2
            growth /= 2
            turn /= 2
            fading /= 2
        }
        return fit
    }

    /// Shared over joint coverage; the shape's coverage of a pixel is 1/2 less the signed distance of the pixel's centre
    /// in edge widths, clipped to 0...1.
    private static func overlap(_ shape: ShapeAtlas, _ segment: SceneSegment, _ fit: ShapeFit) -> Double {
        let (cosine, sine) = (cos(fit.turn), sin(fit.turn))
        var (shared, joint, inside) = (0.0, 0.0, 0.0)
        for row in 0..<segment.height {
            let dy = Double(segment.top + row) + 0.5 - fit.centreY
            for column in 0..<segment.width {
                let dx = Double(segment.left + column) + 0.5 - fit.centreX
                let (u, v) = ((dx * cosine + dy * sine) / fit.radius, (dy * cosine - dx * sine) / fit.radius)
                let distance = shape.distance(x: u, y: v) ?? .infinity
                let template = min(max(0.5 - distance * fit.radius / fit.edgeWidth, 0), 1)
                let seen = segment.coverage[row * segment.width + column]
                shared += min(template, seen)
                joint += max(template, seen)
                inside += template
            }
        }
        // What of the shape lies outside the box was not seen and counts against it.
        joint += max(0, shape.area * fit.radius * fit.radius - inside)
        return joint > 0 ? shared / joint : 0
    }
}
