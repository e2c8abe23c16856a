import Evaluation
import Foundation
import Generation
import TestSupport

/// Draws Tangram scenes for the scorer's tests: shapes by 6 x 6 samples a pixel, shaded as the trainer's renderer does.
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
        let samples = 6
        let ground = vocabulary.backgrounds.first { $0.name == background }?.rgb ?? .zero
        let slope = Double.random(in: -0.05...0.05, using: &generator)
        let light = objects.map { _ in Double.random(in: 0.8...1.2, using: &generator) }
        var pixels: [UInt8] = []
        for row in 0..<side {
            for column in 0..<side {
                var sum = SIMD3<Double>.zero
                for sample in 0..<samples * samples {
                    let x = (Double(column) + (Double(sample % samples) + 0.5) / Double(samples)) / Double(side)
                    let y = (Double(row) + (Double(sample / samples) + 0.5) / Double(samples)) / Double(side)
                    var colour = ground * (1 + slope * (2 * x - 1))
                    for (placed, light) in zip(objects, light) {
                        let (dx, dy) = (x - placed.x, y - placed.y)
                        let u = (dx * cos(placed.turn) + dy * sin(placed.turn)) / placed.radius
                        let v = (dy * cos(placed.turn) - dx * sin(placed.turn)) / placed.radius
                        guard let shape = vocabulary.shapes.first(where: { $0.name == placed.object.shape }),
                            let paint = vocabulary.colours.first(where: { $0.name == placed.object.colour }),
                            shape.signedDistance(x: u, y: v) < 0
                        else { continue }
                        let shine = 0.16 * light * exp(-((u + 0.35) * (u + 0.35) + (v + 0.35) * (v + 0.35)) / 0.18)
                        let shaded = (paint.rgb * (1 - 0.1 * light * (u + v))).clamped(
                            lowerBound: .zero, upperBound: SIMD3(repeating: 255))
                        colour = shaded * (1 - shine) + shine * 255
                    }
                    sum += colour
                }
                let mean = (sum / Double(samples * samples)).clamped(
                    lowerBound: .zero, upperBound: SIMD3(repeating: 255))
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
