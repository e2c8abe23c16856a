import Evaluation
import Foundation
import Generation
import TestSupport
import Testing
import VernierCore

@Suite struct SceneScorerTests {
    static let corpora = {
        let here = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return here.dropLast(3).joined(separator: "/") + "/Calibration/Corpora"
    }()

    let vocabulary: SceneVocabulary

    init() throws { vocabulary = try SceneVocabulary(contentsOf: "\(Self.corpora)/scenes.json") }

    private func object(_ colour: String, _ shape: String, _ size: String) -> Scene.Object {
        Scene.Object(colour: colour, shape: shape, size: size)
    }

    private func draw(_ scene: Scene, side: Int = 48, seed: UInt64 = 1) throws -> Picture {
        var generator = SplitMix64(seed: seed)
        let renderer = SceneRenderer(vocabulary: vocabulary, side: side)
        return try renderer.draw(renderer.place(scene, &generator), background: scene.background, &generator)
    }

    // MARK: Right scenes

    @Test(arguments: [48, 64]) func renderedScenesAreRight(side: Int) throws {
        var generator = SplitMix64(seed: UInt64(side))
        let renderer = SceneRenderer(vocabulary: vocabulary, side: side)
        let scorer = SceneScorer(vocabulary)
        var (right, rightWhenSoft) = (0, 0)
        for _ in 0..<40 {
            let scene = renderer.randomScene(&generator)
            let objects = renderer.place(scene, &generator)
            let picture = try renderer.draw(objects, background: scene.background, &generator)
            if scorer.score(picture, expected: scene).allCorrect { right += 1 }
            let soft = try SceneRenderer.soften(picture, noise: 8, &generator)
            if scorer.score(soft, expected: scene).allCorrect { rightWhenSoft += 1 }
        }
        #expect(right == 40)
        #expect(rightWhenSoft >= 39)
    }

    @Test func descriptionsNameWhatIsThere() throws {
        var generator = SplitMix64(seed: 3)
        let renderer = SceneRenderer(vocabulary: vocabulary, side: 64)
        let star = SceneRenderer.Placed(
            object: object("cyan", "star", "large"), x: 0.3, y: 0.4, radius: 0.21, turn: 0.1)
        let picture = try renderer.draw([star], background: "grey", &generator)
        let seen = SceneScorer(vocabulary).describe(picture)
        #expect(seen.background == "grey")
        try #require(seen.objects.count == 1)
        let found = seen.objects[0]
        #expect(found.colour == "cyan" && found.shape == "star" && found.size == "large")
        #expect(abs(found.centreX - 19.2) < 0.5 && abs(found.centreY - 25.6) < 0.5)
        #expect(abs(found.radius - 13.44) < 0.5)
        #expect(found.overlap > 0.9)
    }

    // MARK: Wrong scenes

    /// Changes one thing at a time; only the attributes named may turn wrong.
    @Test func everyWrongAttributeIsSeenAlone() throws {
        let first = object("red", "circle", "large")
        let second = object("blue", "star", "small")
        let expected = Scene(background: "white", first: first, relation: "left of", second: second)
        func score(_ drawn: Scene) throws -> SceneScore {
            SceneScorer(vocabulary).score(try draw(drawn), expected: expected)
        }
        let right = try score(expected)
        #expect(right.allCorrect && right.relation == true)

        let colour = try score(
            Scene(background: "white", first: object("green", "circle", "large"), relation: "left of", second: second))
        #expect(!colour.colour && colour.shape && colour.size && colour.relation == true && colour.background)
        let shape = try score(
            Scene(background: "white", first: object("red", "triangle", "large"), relation: "left of", second: second))
        #expect(shape.colour && !shape.shape && shape.size && shape.relation == true && shape.count)
        let size = try score(
            Scene(background: "white", first: object("red", "circle", "small"), relation: "left of", second: second))
        #expect(size.colour && size.shape && !size.size && size.relation == true && size.count)
        let ground = try score(Scene(background: "beige", first: first, relation: "left of", second: second))
        #expect(ground.colour && ground.shape && ground.size && !ground.background && ground.count)
        for relation in ["right of", "above", "below"] {
            let turned = try score(Scene(background: "white", first: first, relation: relation, second: second))
            #expect(turned.colour && turned.shape && turned.size && turned.relation == false && turned.count)
        }
        let single = try score(Scene(background: "white", object: first))
        #expect(!single.count && !single.colour && single.relation == false && single.background)
        for wrong in [colour, shape, size, ground, single] { #expect(!wrong.allCorrect) }
    }

    @Test func mirroredWordingsOfOneSceneScoreAlike() throws {
        let (a, b) = (object("yellow", "ring", "large"), object("purple", "cross", "small"))
        let scene = Scene(background: "black", first: a, relation: "above", second: b)
        let mirrored = Scene(background: "black", first: b, relation: "below", second: a)
        let picture = try draw(scene)
        #expect(SceneScorer(vocabulary).score(picture, expected: scene).allCorrect)
        #expect(SceneScorer(vocabulary).score(picture, expected: mirrored).allCorrect)
    }

    @Test func twoObjectsOfOneColourAreCountedApart() throws {
        var generator = SplitMix64(seed: 5)
        let renderer = SceneRenderer(vocabulary: vocabulary, side: 48)
        let red = object("red", "circle", "small")
        let left = SceneRenderer.Placed(object: red, x: 0.27, y: 0.5, radius: 0.13, turn: 0)
        let right = SceneRenderer.Placed(object: red, x: 0.73, y: 0.5, radius: 0.13, turn: 0)
        let picture = try renderer.draw([left, right], background: "white", &generator)
        let score = SceneScorer(vocabulary).score(picture, expected: Scene(background: "white", object: red))
        #expect(score.colour && score.shape && score.size && !score.count && score.relation == nil)
    }

    @Test func anObjectBetweenTheSizesHasTheNearerOne() throws {
        // The ranges end at 0.14 and begin at 0.2 (or wherever the vocabulary says); the limit is their geometric mean.
        let limit = (vocabulary.sizes[0].radiusShares.upperBound * vocabulary.sizes[1].radiusShares.lowerBound)
            .squareRoot()
        for (factor, expected) in [(0.94, vocabulary.sizes[0].name), (1.06, vocabulary.sizes[1].name)] {
            var generator = SplitMix64(seed: 6)
            let renderer = SceneRenderer(vocabulary: vocabulary, side: 64)
            let placed = SceneRenderer.Placed(
                object: object("green", "square", "large"), x: 0.5, y: 0.5, radius: limit * factor, turn: 0)
            let picture = try renderer.draw([placed], background: "white", &generator)
            #expect(SceneScorer(vocabulary).describe(picture).objects.map(\.size) == [expected])
        }
    }

    // MARK: Pictures that show nothing

    @Test func emptyAndNoisyPicturesAreWrongWithoutCrashing() throws {
        let scene = Scene(background: "white", object: object("red", "circle", "large"))
        let scorer = SceneScorer(vocabulary)
        for side in [1, 2, 3, 7, 48] {
            let flat = try Picture(
                width: side, height: side, pixels: [UInt8](repeating: 238, count: 3 * side * side))
            let score = scorer.score(flat, expected: scene)
            #expect(!score.colour && !score.count && score.background)
            var generator = SplitMix64(seed: UInt64(side))
            let noise = try Picture(
                width: side, height: side + 1,
                pixels: (0..<3 * side * (side + 1)).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
            #expect(!scorer.score(noise, expected: scene).allCorrect)
            #expect(scorer.describe(noise) == scorer.describe(noise))
        }
    }

    @Test func aFullFrameHasNoSizeAndNoWrongShape() throws {
        // A picture that is half red, half white: one patch, far larger than any object.
        let pixels = (0..<48 * 48).flatMap { $0 % 48 < 20 ? [220, 40, 45] : [238, 238, 238] as [UInt8] }
        let seen = SceneScorer(vocabulary).describe(try Picture(width: 48, height: 48, pixels: pixels))
        #expect(seen.objects.count == 1)
        #expect(seen.objects.first?.shape == nil)
        #expect(seen.objects.first?.size == nil)
    }

    // MARK: Sums

    @Test func summariesCountOnlyScenesWithARelation() throws {
        func score(_ isRight: Bool, _ relation: Bool?) -> SceneScore {
            SceneScore(
                colour: isRight, shape: true, size: true, relation: relation, background: true, count: true)
        }
        let summary = try #require(SceneScoreSummary([score(true, nil), score(true, true), score(false, false)]))
        #expect(summary.colour.mean == 2.0 / 3 && summary.shape.mean == 1 && summary.allCorrect.mean == 2.0 / 3)
        #expect(summary.relation?.mean == 0.5 && summary.relation?.count == 2)
        #expect(SceneScoreSummary([]) == nil)
        #expect(SceneScoreSummary([score(true, nil)])?.relation == nil)
    }
}
