import Evaluation
import Foundation
import Generation
import TestSupport
import Testing

/// Draws Tangram scenes for the scorer's tests: shapes by 5 x 5 samples a pixel, shaded as the trainer's renderer does.
struct SceneRenderer {
    let vocabulary: SceneVocabulary
    let side: Int

    /// One object at a place.
    struct Placed {
        var object: Scene.Object
        var x: Double
        var y: Double
        var radius: Double
        var turn: Double
    }

    private struct Paint {
        let shape: SceneShape
        let rgb: SIMD3<Double>
        let light: Double
        let cosine: Double
        let sine: Double
    }

    /// A random scene of one or two objects, as the corpora have them.
    func randomScene(_ generator: inout SplitMix64) -> Scene {
        func object(except colour: String?) -> Scene.Object {
            let names = vocabulary.colours.map(\.name).filter { $0 != colour }
            return Scene.Object(
                colour: names[generator.integer(in: 0..<names.count)],
                shape: vocabulary.shapes[generator.integer(in: 0..<vocabulary.shapes.count)].name,
                size: vocabulary.sizes[generator.integer(in: 0..<vocabulary.sizes.count)].name)
        }
        let background = vocabulary.backgrounds[generator.integer(in: 0..<vocabulary.backgrounds.count)].name
        let first = object(except: nil)
        guard generator.integer(in: 0..<10) >= 3 else { return Scene(background: background, object: first) }
        let relation = vocabulary.relations[generator.integer(in: 0..<vocabulary.relations.count)].name
        return Scene(background: background, first: first, relation: relation, second: object(except: first.colour))
    }

    /// Places a scene's objects with jitter.
    func place(_ scene: Scene, _ generator: inout SplitMix64) -> [Placed] {
        let relation = scene.relation.flatMap { name in vocabulary.relations.first { $0.name == name } }
        return scene.objects.enumerated().map { index, object in
            let radii = vocabulary.sizes.first { $0.name == object.size }?.radiusShares ?? 0.1...0.1
            var (x, y) = (0.5, 0.5)
            if let relation {
                let step = (index == 0) == relation.firstIsSmaller ? -0.23 : 0.23
                if relation.isHorizontal { x += step } else { y += step }
            }
            func random(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &generator) }
            let turn = vocabulary.rotationDegrees * .pi / 180
            return Placed(
                object: object, x: x + random(-0.02...0.02), y: y + random(-0.02...0.02), radius: random(radii),
                turn: random(-turn...turn))
        }
    }

    /// Draws placed objects in order.
    func draw(_ objects: [Placed], background: String, _ generator: inout SplitMix64) throws -> Picture {
        let samples = 5
        let ground = vocabulary.backgrounds.first { $0.name == background }?.rgb ?? .zero
        let slope = Double.random(in: -0.05...0.05, using: &generator)
        let paints = try objects.map { placed in
            Paint(
                shape: try #require(vocabulary.shapes.first { $0.name == placed.object.shape }),
                rgb: try #require(vocabulary.colours.first { $0.name == placed.object.colour }).rgb,
                light: Double.random(in: 0.8...1.2, using: &generator), cosine: cos(placed.turn),
                sine: sin(placed.turn))
        }
        let (black, white) = (SIMD3<Double>.zero, SIMD3<Double>(repeating: 255))
        var pixels: [UInt8] = []
        for row in 0..<side {
            for column in 0..<side {
                var sum = SIMD3<Double>.zero
                for sample in 0..<samples * samples {
                    let x = (Double(column) + (Double(sample % samples) + 0.5) / Double(samples)) / Double(side)
                    let y = (Double(row) + (Double(sample / samples) + 0.5) / Double(samples)) / Double(side)
                    var colour = ground * (1 + slope * (2 * x - 1))
                    for (placed, paint) in zip(objects, paints) {
                        let (dx, dy) = ((x - placed.x) / placed.radius, (y - placed.y) / placed.radius)
                        guard dx * dx + dy * dy <= 1 else { continue }
                        let (u, v) = (dx * paint.cosine + dy * paint.sine, dy * paint.cosine - dx * paint.sine)
                        guard paint.shape.signedDistance(x: u, y: v) < 0 else { continue }
                        let fromShine = (u + 0.35) * (u + 0.35) + (v + 0.35) * (v + 0.35)
                        let shine = 0.16 * paint.light * exp(-fromShine / 0.18)
                        let shaded = paint.rgb * (1 - 0.1 * paint.light * (u + v))
                        colour = shaded.clamped(lowerBound: black, upperBound: white) * (1 - shine) + shine * 255
                    }
                    sum += colour
                }
                let mean = (sum / Double(samples * samples)).clamped(lowerBound: black, upperBound: white)
                for channel in 0..<3 { pixels.append(UInt8(mean[channel].rounded())) }
            }
        }
        return try Picture(width: side, height: side, pixels: pixels)
    }

    /// Blurs by (1 2 1) / 4 both ways and adds noise of up to `noise` levels: somewhat worse than the tokeniser does.
    static func soften(_ picture: Picture, noise: Double, _ generator: inout SplitMix64) throws -> Picture {
        let (width, height) = (picture.width, picture.height)
        var pixels: [UInt8] = []
        for row in 0..<height {
            for column in 0..<width {
                for channel in 0..<3 {
                    var sum = 0.0
                    for (dy, wy) in [(-1, 0.25), (0, 0.5), (1, 0.25)] {
                        for (dx, wx) in [(-1, 0.25), (0, 0.5), (1, 0.25)] {
                            let y = min(max(row + dy, 0), height - 1)
                            let x = min(max(column + dx, 0), width - 1)
                            sum += wy * wx * Double(picture.pixels[3 * (y * width + x) + channel])
                        }
                    }
                    sum += Double.random(in: -noise...noise, using: &generator)
                    pixels.append(UInt8(min(max(sum, 0), 255)))
                }
            }
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }
}
