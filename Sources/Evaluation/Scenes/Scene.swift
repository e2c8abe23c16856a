import VernierCore

/// What a prompt asks Tangram to draw: a background and one or two objects.
public struct Scene: Sendable, Hashable {
    /// One object in words of the vocabulary.
    public struct Object: Sendable, Hashable {
        /// The colour's name.
        public let colour: String
        /// The shape's name.
        public let shape: String
        /// The size's name.
        public let size: String

        /// Makes an object.
        public init(colour: String, shape: String, size: String) {
            self.colour = colour
            self.shape = shape
            self.size = size
        }
    }

    /// The background's name.
    public let background: String
    /// The objects in the order of the prompt.
    public let objects: [Object]
    /// Where the first object stands, seen from the second; nil with one object.
    public let relation: String?

    /// Makes a scene of one object.
    public init(background: String, object: Object) {
        self.background = background
        self.objects = [object]
        self.relation = nil
    }

    /// Makes a scene of two objects.
    public init(background: String, first: Object, relation: String, second: Object) {
        self.background = background
        self.objects = [first, second]
        self.relation = relation
    }

    /// Reads the `scene` member of a corpus line.
    public init(_ value: JSONValue, place: String = "scene") throws {
        try self.init(JSONCursor(value, place: place))
    }

    /// Reads `{"background", "objects": [{"colour", "shape", "size"}, ...], "relation"}`; the relation stands exactly
    /// with two objects.
    public init(_ cursor: JSONCursor) throws {
        background = try cursor.member("background").string()
        let list = try cursor.member("objects")
        objects = try list.elements().map {
            Object(
                colour: try $0.member("colour").string(), shape: try $0.member("shape").string(),
                size: try $0.member("size").string())
        }
        guard (1...2).contains(objects.count) else {
            throw list.error(expected: "one or two objects", found: "\(objects.count)")
        }
        relation = try cursor.optionalMember("relation")?.string()
        guard (relation != nil) == (objects.count == 2) else {
            throw cursor.error(
                expected: "a relation exactly with two objects",
                found: "\(objects.count) of them and \(relation == nil ? "none" : "one")")
        }
    }
}
