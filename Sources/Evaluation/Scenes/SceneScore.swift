import VernierCore

/// Which parts of an expected scene a picture shows.
public struct SceneScore: Sendable, Hashable {
    /// Every expected object has its colour.
    public let colour: Bool
    /// Every expected object has its shape.
    public let shape: Bool
    /// Every expected object has its size.
    public let size: Bool
    /// The objects stand as the relation says; nil if the scene has one object and so no relation.
    public let relation: Bool?
    /// The background is right.
    public let background: Bool
    /// There are as many objects as expected.
    public let count: Bool

    /// Makes a score.
    public init(colour: Bool, shape: Bool, size: Bool, relation: Bool?, background: Bool, count: Bool) {
        self.colour = colour
        self.shape = shape
        self.size = size
        self.relation = relation
        self.background = background
        self.count = count
    }

    /// Everything is right.
    public var allCorrect: Bool { colour && shape && size && relation != false && background && count }

    /// The attributes by name, `null` for an absent relation.
    public var json: JSONValue {
        [
            "colour": .bool(colour), "shape": .bool(shape), "size": .bool(size),
            "relation": relation.map(JSONValue.bool) ?? .null, "background": .bool(background),
            "count": .bool(count), "allCorrect": .bool(allCorrect),
        ]
    }
}
