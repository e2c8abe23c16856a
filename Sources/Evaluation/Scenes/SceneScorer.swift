import Foundation
import Generation

/// Judges whether a Tangram picture shows what its prompt asked for.
///
/// A picture is first described without knowing the prompt (``describe(_:)``), then compared with the expected scene
/// (``score(_:expected:)``). No learned parts; the same picture gives the same score.
public struct SceneScorer: Sendable {
    /// Below this overlap a patch has no shape of the vocabulary.
    static let leastOverlap = 0.6
    /// A radius this many times outside a size's range is no longer of that size.
    static let sizeTolerance = 1.35

    /// How much overlap a shape must gain for each unit of the logarithm of that factor.
    static let sizeWeight = 0.5

    private let vocabulary: SceneVocabulary
    private let atlases: [ShapeAtlas]

    /// Makes a scorer for a vocabulary.
    public init(_ vocabulary: SceneVocabulary) {
        self.vocabulary = vocabulary
        atlases = vocabulary.shapes.map(ShapeAtlas.init)
    }

    // MARK: Description

    /// What the picture shows: the background from the median of its frame, objects from patches of one tint, their
    /// shapes from the best overlap less half the logarithm of how far the fitted radius is from all sizes, their sizes from
    /// that radius.
    public func describe(_ picture: Picture) -> ObservedScene {
        let (background, segments) = SceneSegmenter(vocabulary: vocabulary).segments(picture)
        return ObservedScene(
            background: vocabulary.backgrounds[background].name,
            objects: segments.map { object($0, pictureWidth: Double(picture.width)) })
    }

    private func object(_ segment: SceneSegment, pictureWidth: Double) -> ObservedScene.Object {
        let largestTurn = vocabulary.rotationDegrees * .pi / 180
        var best: (shape: Int, fit: ShapeFit, merit: Double)?
        for (index, atlas) in atlases.enumerated() {
            let fit = ShapeFit.best(atlas, segment, largestTurn: largestTurn)
            // Objects have the vocabulary's sizes: a blurred small star is not a circle smaller than any.
            let (_, factor) = nearestSize(fit.radius / pictureWidth)
            let merit = fit.overlap - Self.sizeWeight * log(factor)
            if merit > best?.merit ?? -.infinity { best = (index, fit, merit) }
        }
        let (x, y) = segment.centre
        let radius = best?.fit.radius ?? (segment.area / .pi).squareRoot()
        let shape = best.flatMap { $0.fit.overlap >= Self.leastOverlap ? vocabulary.shapes[$0.shape].name : nil }
        return ObservedScene.Object(
            colour: vocabulary.colours[segment.colour].name, shape: shape,
            size: sizeName(radius / pictureWidth), centreX: best?.fit.centreX ?? x, centreY: best?.fit.centreY ?? y,
            radius: radius, overlap: best?.fit.overlap ?? 0)
    }

    /// The size's name; nil if the radius is beyond the tolerance of all.
    private func sizeName(_ radiusShare: Double) -> String? {
        let (name, factor) = nearestSize(radiusShare)
        return factor <= Self.sizeTolerance ? name : nil
    }

    /// The size whose range is nearest on a logarithmic scale, and the factor to it: 1 inside the range.
    private func nearestSize(_ radiusShare: Double) -> (name: String?, factor: Double) {
        var best: (name: String?, factor: Double) = (nil, .infinity)
        for size in vocabulary.sizes {
            let range = size.radiusShares
            let factor = max(range.lowerBound / radiusShare, radiusShare / range.upperBound, 1)
            if factor < best.factor { best = (size.name, factor) }
        }
        return best
    }

    // MARK: Comparison

    /// Which parts of `expected` the picture shows.
    ///
    /// Expected objects are matched to different observed ones so that most colours, then most shapes, then most sizes
    /// agree; what has no match is wrong in everything. A relation holds if the matched objects are apart mainly along
    /// its axis and in its order.
    public func score(_ picture: Picture, expected: Scene) -> SceneScore {
        score(describe(picture), expected: expected)
    }

    /// Which parts of `expected` an observed scene shows; see ``score(_:expected:)-(Picture,_)``.
    public func score(_ observed: ObservedScene, expected: Scene) -> SceneScore {
        let matches = bestMatches(observed.objects, expected.objects)
        func all(_ isRight: (Scene.Object, ObservedScene.Object) -> Bool) -> Bool {
            zip(expected.objects, matches).allSatisfy { wanted, seen in seen.map { isRight(wanted, $0) } ?? false }
        }
        return SceneScore(
            colour: all { $0.colour == $1.colour }, shape: all { $0.shape == $1.shape },
            size: all { $0.size == $1.size }, relation: expected.relation.map { holds($0, matches) },
            background: observed.background == expected.background,
            count: observed.objects.count == expected.objects.count)
    }

    /// For each expected object the observed object it is matched to. At most two are expected, so all pairs are tried,
    /// among the six largest observed.
    private func bestMatches(
        _ observed: [ObservedScene.Object], _ expected: [Scene.Object]
    ) -> [ObservedScene.Object?] {
        func merit(_ wanted: Scene.Object, _ seen: ObservedScene.Object) -> Int {
            1 + (wanted.colour == seen.colour ? 100 : 0) + (wanted.shape == seen.shape ? 10 : 0)
                + (wanted.size == seen.size ? 3 : 0)
        }
        var choices: [(chosen: [Int?], merit: Int)] = [([], 0)]
        for wanted in expected {
            choices = choices.flatMap { choice in
                let free = observed.indices.prefix(6).filter { !choice.chosen.contains($0) }
                return free.map { (choice.chosen + [$0], choice.merit + merit(wanted, observed[$0])) }
                    + [(choice.chosen + [nil], choice.merit)]
            }
        }
        var best: (chosen: [Int?], merit: Int) = ([], -1)
        for choice in choices where choice.merit > best.merit { best = choice }
        return best.chosen.map { $0.map { observed[$0] } }
    }

    private func holds(_ name: String, _ matches: [ObservedScene.Object?]) -> Bool {
        guard let relation = vocabulary.relations.first(where: { $0.name == name }), matches.count == 2,
            let first = matches[0], let second = matches[1]
        else { return false }
        let (dx, dy) = (first.centreX - second.centreX, first.centreY - second.centreY)
        let (along, across) = relation.isHorizontal ? (dx, dy) : (dy, dx)
        return abs(along) > abs(across) && (along < 0) == relation.firstIsSmaller
    }
}
