import VernierCore

/// Which tokens a cell keeps when it must drop some: a name and its parameters.
///
/// The rules are carried out by the runtime; here they are named, checked and compared. Ties go to the lowest
/// position.
public struct SelectionRule: Sendable, Hashable, CustomStringConvertible {
    /// The names of all rules.
    public static var knownNames: [String] { table.map(\.name) }

    /// The rule's name in files, for example `attention-mass`.
    public let name: String
    /// The rule's parameters, all of them, defaults included.
    public let parameters: Parameters

    /// The softmax mass each position received from all queries of the scale just finished, if asked times the norm of
    /// its value.
    public static func attentionMass(valueNorm: Bool = false) -> SelectionRule {
        SelectionRule(known: "attention-mass", ["valueNorm": .bool(valueNorm)])
    }
    /// The same from the centroids of a grid of patches only (ScaleKV Eq. 5, SnapKV); the window itself is kept.
    ///
    /// - Precondition: `side` is from 1 to 64.
    public static func observationWindow(side: Int = 4) -> SelectionRule {
        precondition((1...64).contains(side), "the window's side is from 1 to 64")
        return SelectionRule(
            known: "observation-window",
            ["keepsWindow": true, "pooling": "none", "reach": 2, "side": .integer(Int64(side))])
    }
    /// Positions drawn at random from the seed.
    ///
    /// - Precondition: `seed` is not negative.
    public static func random(seed: Int) -> SelectionRule {
        precondition(seed >= 0, "seeds are not negative")
        return SelectionRule(known: "random", ["seed": .integer(Int64(seed))])
    }
    /// The tokens of the first scales and then the newest (StreamingLLM).
    ///
    /// - Precondition: `sinkScales` is from 0 to 64.
    public static func sinkRecent(sinkScales: Int = 3) -> SelectionRule {
        precondition((0...64).contains(sinkScales), "the number of sink scales is from 0 to 64")
        return SelectionRule(known: "sink-recent", ["sinkScales": .integer(Int64(sinkScales))])
    }
    /// The newest tokens.
    public static let slidingWindow = SelectionRule(known: "sliding-window", [:])

    /// How much a mean key's attending differently costs unless said otherwise; chosen on prompts of Tangram's calibration
    /// corpus that were not calibrated on.
    public static let standardKeyWeight = 0.1

    /// Slots that are means of fixed groups of positions, chosen by measured cost of merging (`method.md` section 4).
    ///
    /// - Parameters:
    ///   - massWeighted: members count by their attention mass for the next scale instead of all alike.
    ///   - sharedBranches: all branches share groups and coefficients.
    ///   - drops: positions may be dropped where that is cheaper than pooling.
    ///   - keyWeight: how much it costs that a mean key attends differently from its members.
    ///   - refinedPrompts: the prompts that coefficients and biases were fitted to; 0: none were.
    /// - Precondition: `keyWeight` is from 0 to 100, `refinedPrompts` not negative.
    public static func poolingPlan(
        massWeighted: Bool = true, sharedBranches: Bool = true, drops: Bool = false,
        keyWeight: Double = standardKeyWeight,
        refinedPrompts: Int = 0
    ) -> SelectionRule {
        precondition((0...100).contains(keyWeight) && refinedPrompts >= 0, "parameters are within their ranges")
        return SelectionRule(
            known: "pooling-plan",
            [
                "drops": .bool(drops), "keyWeight": .number(keyWeight), "massWeighted": .bool(massWeighted),
                "refinedPrompts": .integer(Int64(refinedPrompts)), "sharedBranches": .bool(sharedBranches),
            ])
    }
    /// A fixed set of positions, the best by measured cost of dropping; with `summary`, all others share one more slot.
    public static func positionPlan(summary: Bool = false) -> SelectionRule {
        SelectionRule(known: "position-plan", ["summary": .bool(summary)])
    }
    /// Slots that are means of neighbours on the maps, chosen by geometry alone.
    public static let spatial = SelectionRule(known: "spatial", [:])

    /// Whether the compiler has chosen already: the profile then holds a ``PoolingPlan``, and the runtime scores
    /// nothing.
    public var isPlanned: Bool { Self.planned.contains(name) }

    /// The rule that keeps whole source scales, as the policy `heatkv` decides.
    public static let scaleBlocks = SelectionRule(known: "scale-blocks", [:])
    /// The attention that the next scale really pays: a ceiling, which takes a full-cache run first.
    public static let oracle = SelectionRule(known: "oracle", ["horizon": 1, "valueNorm": true])

    private init(known name: String, _ parameters: Parameters) {
        self.name = name
        self.parameters = parameters
    }

    /// Makes a rule from its name and those parameters that differ from the default.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for an unknown name or parameter, or a value out of range.
    public init(name: String, parameters: Parameters = [:]) throws {
        guard let row = Self.table.first(where: { $0.name == name }) else {
            throw VernierError(
                .invalidArgument, at: "selection rule", expected: "one of \(Self.knownNames.joined(separator: ", "))",
                found: JSONValue.quoted(name))
        }
        var problems: [String] = []
        for member in parameters.members {
            guard let known = row.parameters.first(where: { $0.name == member.key }) else {
                let names = row.parameters.map(\.name).joined(separator: ", ")
                problems.append(
                    "unknown parameter \(JSONValue.quoted(member.key)); known are: \(names.isEmpty ? "none" : names)")
                continue
            }
            if !known.domain.admits(member.value) {
                problems.append("\(known.name): expected \(known.domain.expectation), found \(member.value.summary)")
            }
        }
        guard problems.isEmpty else {
            throw VernierError(.invalidArgument, at: "selection rule '\(name)'", problems: problems)
        }
        var complete = JSONObject()
        for known in row.parameters { complete[known.name] = parameters[known.name] ?? known.standard }
        self.init(known: name, Parameters(complete))
    }

    /// The name and the parameters, for people.
    public var description: String { parameters.members.isEmpty ? name : "\(name) (\(parameters.summary))" }

    var jsonValue: JSONValue { ["name": .string(name), "parameters": parameters.jsonValue] }

    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["name", "parameters"])
        let name = try cursor.member("name")
        let text = try name.string()
        guard Self.knownNames.contains(text) else {
            throw VernierError(
                .unsupportedVersion, at: name.place, expected: "one of \(Self.knownNames.joined(separator: ", "))",
                found: JSONValue.quoted(text), remedy: "Use a newer version of Vernier, or compile the profile again.")
        }
        do {
            try self.init(name: text, parameters: Parameters(reading: cursor.member("parameters")))
        } catch let error as VernierError where error.code == .invalidArgument {
            throw VernierError(.malformedFile, at: cursor.place, problems: error.problems)
        }
    }

    /// The rule as the compiler is asked for it: without the mark of a refinement, which comes after.
    public var unrefined: SelectionRule {
        guard parameters["refinedPrompts"] != nil else { return self }
        var parameters = parameters
        parameters["refinedPrompts"] = 0
        return SelectionRule(known: name, parameters)
    }
}
