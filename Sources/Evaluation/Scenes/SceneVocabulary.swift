import VernierCore

/// What Tangram's scenes are made of: colours, backgrounds, shapes, sizes and relations.
///
/// Read from `Calibration/Corpora/scenes.json`, the one source of the renderer, the captions and the scorers. Order is
/// the file's; ties between entries go to the earlier one.
public struct SceneVocabulary: Sendable, Hashable {
    /// A named sRGB colour.
    public struct Colour: Sendable, Hashable {
        /// The name in prompts.
        public let name: String
        /// Red, green, blue, 0 to 255.
        public let rgb: SIMD3<Double>
    }

    /// A named range of circumradii.
    public struct Size: Sendable, Hashable {
        /// The name in prompts.
        public let name: String
        /// The circumradii drawn, as shares of the picture's width.
        public let radiusShares: ClosedRange<Double>
    }

    /// A wording of where the first object stands, seen from the second.
    public struct Relation: Sendable, Hashable {
        /// The wording in prompts, for example `left of`.
        public let name: String
        /// Whether the objects are apart in x (or in y).
        public let isHorizontal: Bool
        /// Whether the first object has the smaller coordinate.
        public let firstIsSmaller: Bool
    }

    /// The colours of objects; chromatic.
    public let colours: [Colour]
    /// The colours of backgrounds; nearly without chroma.
    public let backgrounds: [Colour]
    /// The shapes.
    public let shapes: [SceneShape]
    /// The sizes.
    public let sizes: [Size]
    /// The relations.
    public let relations: [Relation]
    /// The largest rotation of an object, either way.
    public let rotationDegrees: Double
    /// SHA-256 over the vocabulary's canonical JSON, in lower-case hexadecimal.
    public let digest: String

    /// Reads the vocabulary file at `path`.
    ///
    /// Throws ``VernierCore/VernierError/Code/fileAccess`` or ``VernierCore/VernierError/Code/malformedFile``.
    public init(contentsOf path: String) throws {
        let file = try MappedFile(path: path)
        let value = try file.withBytes { try JSONValue.parse($0, name: file.name) }
        try self.init(JSONCursor(value, place: file.name))
    }

    /// Reads the vocabulary from JSON.
    public init(_ cursor: JSONCursor) throws {
        func named<Value>(_ key: String, _ read: (String, JSONCursor) throws -> Value) throws -> [Value] {
            let list = try cursor.member(key)
            let members = try list.members()
            guard (1...256).contains(members.count) else {
                throw list.error(expected: "1 to 256 members", found: "\(members.count)")
            }
            return try members.map { try read($0.key, $0.value) }
        }
        func colour(_ name: String, _ cursor: JSONCursor) throws -> Colour {
            let channels = try cursor.elements(count: 3).map { try $0.number(in: 0...255) }
            return Colour(name: name, rgb: SIMD3(channels[0], channels[1], channels[2]))
        }
        colours = try named("colours", colour)
        backgrounds = try named("backgrounds", colour)
        shapes = try named("shapes", SceneShape.init)
        sizes = try named("sizes") { name, cursor in
            let low = try cursor.member("min").number(in: 0.01...0.5)
            return Size(name: name, radiusShares: low...(try cursor.member("max").number(in: low...0.5)))
        }
        relations = try named("relations") { name, cursor in
            let axis = try cursor.member("axis")
            guard try ["x", "y"].contains(axis.string()) else { throw axis.error(expected: "x or y") }
            let sign = try cursor.member("sign")
            guard try [-1, 1].contains(sign.integer()) else { throw sign.error(expected: "-1 or 1") }
            return Relation(
                name: name, isHorizontal: try axis.string() == "x", firstIsSmaller: try sign.integer() == -1)
        }
        rotationDegrees = try cursor.member("rotation_degrees").number(in: 0...180)
        digest = Digest.of(Array(try cursor.value.canonicalText().utf8))
    }
}
