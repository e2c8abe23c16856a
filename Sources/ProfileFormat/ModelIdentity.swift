import VernierCore

/// What a profile must have in common with the model it is loaded for.
public struct ModelIdentity: Sendable, Hashable {
    /// The family of architectures, for example `infinity` or `var`.
    public let family: String
    /// A name for people, for example `Infinity-2B`; informative only, never compared.
    public let name: String
    /// Sequences per image: 2 with classifier-free guidance (conditional, then unconditional), else 1.
    public let branches: Int
    /// Transformer layers that keep a cache.
    public let layers: Int
    /// Key and value heads per layer.
    public let heads: Int
    /// Channels per head.
    public let headWidth: Int
    /// SHA-256 over everything that shapes the computation (the family defines it), 64 lower-case hexadecimal digits.
    public let shapeDigest: String
    /// SHA-256 over the weights, 64 lower-case hexadecimal digits; nil if the weights are unknown, as in a profile that was
    /// imported for an architecture. Weights are then not compared; see ``architectureOnlyRequirement``.
    public let weightsDigest: String?

    /// The feature that a profile requires of its readers if it names no weights: to know that there may be none.
    public static let architectureOnlyRequirement = "architecture-only-identity"

    /// Checks and makes an identity.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` naming everything that is out of range: 1 to 4 branches, 1 to 1024
    /// layers and heads (at most 65,536 together), 1 to 2048 channels per head, names of 1 to 200 bytes.
    public init(
        family: String, name: String, branches: Int, layers: Int, heads: Int, headWidth: Int, shapeDigest: String,
        weightsDigest: String?
    ) throws {
        self.family = family
        self.name = name
        self.branches = branches
        self.layers = layers
        self.heads = heads
        self.headWidth = headWidth
        self.shapeDigest = shapeDigest
        self.weightsDigest = weightsDigest
        let problems = self.problems
        guard problems.isEmpty else {
            throw VernierError(.invalidArgument, at: "model identity", problems: problems)
        }
    }

    private var problems: [String] {
        var problems: [String] = []
        for (word, value, range) in [
            ("branches", branches, FormatLimits.branches), ("layers", layers, FormatLimits.layers),
            ("heads", heads, FormatLimits.heads), ("channels per head", headWidth, FormatLimits.headWidth),
        ] where !range.contains(value) {
            problems.append("expected \(range.text) \(word), found \(value)")
        }
        if problems.isEmpty, layers * heads > FormatLimits.headsOfAllLayers {
            problems.append(
                "expected at most \(FormatLimits.headsOfAllLayers) heads in all layers, found \(layers * heads)")
        }
        for (word, text) in [("family", family), ("name", name)]
        where text.isEmpty || text.utf8.count > FormatLimits.nameBytes {
            problems.append("expected a \(word) of 1 to \(FormatLimits.nameBytes) bytes, found \(text.utf8.count)")
        }
        for (word, text) in [("shape digest", shapeDigest), ("weights digest", weightsDigest)] {
            if let text, let problem = DigestText.problem(word, text) { problems.append(problem) }
        }
        return problems
    }

    /// What stands otherwise than in `other`, all of it, as readable sentences: `other` is what was expected, this is
    /// what was found.
    ///
    /// ``name`` is informative and not compared; weights are not if `other` does not know them.
    public func differences(from other: ModelIdentity) -> [String] {
        var differences: [String] = []
        if family != other.family {
            differences.append("expected family \(JSONValue.quoted(other.family)), found \(JSONValue.quoted(family))")
        }
        for (word, expected, found) in [
            ("branches", other.branches, branches), ("layers", other.layers, layers), ("heads", other.heads, heads),
            ("channels per head", other.headWidth, headWidth),
        ] where expected != found {
            differences.append("expected \(expected) \(word), found \(found)")
        }
        func requireSame(_ word: String, _ expected: String, _ found: String?) {
            guard expected != found else { return }
            let text = found.map { "\($0.prefix(12))..." } ?? "none"
            differences.append("expected \(word) \(expected.prefix(12))..., found \(text)")
        }
        requireSame("shape digest", other.shapeDigest, shapeDigest)
        if let expected = other.weightsDigest { requireSame("weights digest", expected, weightsDigest) }
        return differences
    }
}

extension ModelIdentity {
    /// The identity as an object with one member per property; unknown weights are null.
    public var jsonValue: JSONValue {
        [
            "branches": .integer(Int64(branches)), "family": .string(family), "headWidth": .integer(Int64(headWidth)),
            "heads": .integer(Int64(heads)), "layers": .integer(Int64(layers)), "name": .string(name),
            "shapeDigest": .string(shapeDigest), "weightsDigest": weightsDigest.map { .string($0) } ?? .null,
        ]
    }

    /// Reads what ``jsonValue`` writes. Throws ``VernierError/Code/malformedFile`` at the member's place.
    public init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: [
            "branches", "family", "headWidth", "heads", "layers", "name", "shapeDigest", "weightsDigest",
        ])
        let branches = try cursor.member("branches").integer(in: FormatLimits.branches)
        let layers = try cursor.member("layers").integer(in: FormatLimits.layers)
        let heads = try cursor.member("heads").integer(in: FormatLimits.heads)
        let headWidth = try cursor.member("headWidth").integer(in: FormatLimits.headWidth)
        do {
            try self.init(
                family: cursor.member("family").string(), name: cursor.member("name").string(), branches: branches,
                layers: layers, heads: heads, headWidth: headWidth,
                shapeDigest: cursor.member("shapeDigest").string(),
                weightsDigest: Self.weightsDigest(cursor.member("weightsDigest")))
        } catch let error as VernierError where error.code == .invalidArgument {
            throw VernierError(.malformedFile, at: cursor.place, problems: error.problems)
        }
    }

    /// The member must be there: weights are unknown only if the file says so.
    private static func weightsDigest(_ cursor: JSONCursor) throws -> String? {
        cursor.value == .null ? nil : try cursor.string()
    }
}

/// The form of a SHA-256 in text.
enum DigestText {
    /// What is wrong with `text` as 64 lower-case hexadecimal digits; nil if nothing is.
    static func problem(_ word: String, _ text: String) -> String? {
        let isDigest =
            text.utf8.count == 64
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
        return isDigest
            ? nil : "\(word): expected 64 lower-case hexadecimal digits, found \(JSONValue.quoted(text))"
    }
}
