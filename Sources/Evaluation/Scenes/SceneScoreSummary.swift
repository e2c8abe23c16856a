import VernierCore

/// The share of pictures right in each attribute, with 95 % Wilson intervals.
///
/// Pictures count as independent trials; with several seeds a prompt the interval is therefore somewhat too narrow.
/// `relation` counts only scenes that have one.
public struct SceneScoreSummary: Sendable, Hashable {
    /// Share with all colours right.
    public let colour: Estimate
    /// Share with all shapes right.
    public let shape: Estimate
    /// Share with all sizes right.
    public let size: Estimate
    /// Share with the relation right, of those that have one; nil if none has.
    public let relation: Estimate?
    /// Share with the background right.
    public let background: Estimate
    /// Share with the right number of objects.
    public let count: Estimate
    /// Share with everything right.
    public let allCorrect: Estimate

    /// Sums up scores; nil without any.
    public init?(_ scores: [SceneScore]) {
        func share(_ isRight: (SceneScore) -> Bool) -> Estimate? {
            WilsonInterval.ofShare(successes: scores.count(where: isRight), trials: scores.count)
        }
        guard let colour = share(\.colour), let shape = share(\.shape), let size = share(\.size),
            let background = share(\.background), let count = share(\.count), let allCorrect = share(\.allCorrect)
        else { return nil }
        self.colour = colour
        self.shape = shape
        self.size = size
        self.background = background
        self.count = count
        self.allCorrect = allCorrect
        let relations = scores.compactMap(\.relation)
        relation = WilsonInterval.ofShare(successes: relations.count(where: { $0 }), trials: relations.count)
    }

    /// The estimates by attribute, `null` for an absent relation.
    public var json: JSONValue {
        [
            "colour": colour.json, "shape": shape.json, "size": size.json, "relation": relation?.json ?? .null,
            "background": background.json, "count": count.json, "allCorrect": allCorrect.json,
        ]
    }
}
