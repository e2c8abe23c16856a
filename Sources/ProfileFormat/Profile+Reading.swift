import VernierCore

extension Profile {
    /// The largest file that is read and written, 256 MiB. Most profiles have a few hundred KB; the coefficients of plans
    /// fitted for 1M pictures make 31 MB for Infinity-2B and about 68 MB for Infinity-8B.
    static let largestFileBytes = 1 << 28

    /// Reads a profile from a file; see ``init(parsing:name:)``.
    public init(contentsOf path: String) throws {
        let file = try MappedFile(path: path)
        self = try file.withBytes { try Profile(reading: $0, name: file.name) }
    }

    /// Reads a profile from its text. `name` is the file's name, for messages.
    ///
    /// Throws ``VernierError/Code/malformedFile`` if the text is no profile or contradicts itself, and
    /// ``VernierError/Code/unsupportedVersion`` if it is of another version or requires what this build does not know.
    /// Every member is checked, unknown ones are refused; memory stays in proportion to the text.
    public init(parsing text: String, name: String) throws {
        try self.init(parsing: text, name: name, largestBytes: Self.largestFileBytes)
    }

    /// ``init(parsing:name:)`` with another limit, for tests.
    init(parsing text: String, name: String, largestBytes: Int) throws {
        var text = text
        self = try text.withUTF8 {
            try Profile(reading: UnsafeRawBufferPointer($0), name: name, largestBytes: largestBytes)
        }
    }

    private init(
        reading bytes: UnsafeRawBufferPointer, name: String, largestBytes: Int = Self.largestFileBytes
    ) throws {
        guard bytes.count <= largestBytes else {
            throw VernierError(
                .malformedFile, at: name, expected: "a profile of at most \(largestBytes) bytes",
                found: "\(bytes.count) bytes")
        }
        let root = JSONCursor(try JSONValue.parse(bytes, name: name, maximumDepth: 16), place: name)
        let requires = try Self.requireKnownFormat(root)
        try root.requireOnly(keys: [
            "budget", "capacities", "evidence", "format", "model", "plan", "policy", "provenance", "requires",
            "residentFormula",
            "roles", "schedule", "selection", "storage", "version",
        ])
        let model = try ModelIdentity(reading: root.member("model"))
        let schedule = try ScaleSchedule(reading: root.member("schedule"))
        let storage = try CellStorage(reading: root.member("storage"), model: model, remedy: Self.remedy)
        let budget = try root.member("budget")
        try budget.requireOnly(keys: ["realised", "requested"])
        let capacities = try Self.capacities(root.member("capacities"), model: model, schedule: schedule)
        let bounds = Self.capacityProblems(schedule: schedule, capacities: capacities)
        guard bounds.isEmpty else {
            throw VernierError(.malformedFile, at: name, problems: bounds, remedy: Self.contradiction)
        }
        self.init(
            unchecked: requires, model: model, schedule: schedule,
            policy: try PolicyDescription(reading: root.member("policy")),
            selection: try SelectionRule(reading: root.member("selection")), storage: storage,
            requestedBudget: try BudgetRequest(reading: budget.member("requested")),
            realisedBudget: try RealisedBudget(reading: budget.member("realised")),
            capacities: capacities,
            plan: try root.optionalMember("plan").map {
                try PoolingPlan(reading: $0, capacities: capacities, schedule: schedule)
            },
            roles: try Self.roles(root.member("roles"), model: model, schedule: schedule),
            residentFormula: try root.member("residentFormula").string(),
            provenance: try Provenance(reading: root.member("provenance")))
        evidence = try root.optionalMember("evidence").map { try Evidence(reading: $0) }
        let problems = checkInvariants()
        guard problems.isEmpty else {
            throw VernierError(
                .malformedFile, at: name, problems: problems, remedy: Self.contradiction)
        }
    }

    private static let contradiction = "The profile contradicts itself; compile it again instead of editing it."
    private static let remedy = "Use a newer version of Vernier, or compile the profile again with this one."

    /// Checks format, version and requirements, before anything else of the file is believed; returns the latter.
    private static func requireKnownFormat(_ root: JSONCursor) throws -> [String] {
        let format = try root.member("format")
        guard format.value == .string(Self.format) else {
            throw format.error(
                expected: JSONValue.quoted(Self.format),
                remedy: "This is not a profile; profiles are made by `vernier compile`.")
        }
        let version = try root.member("version")
        let number = try version.integer(in: 1...Int.max)
        guard number == Self.version else {
            throw VernierError(
                .unsupportedVersion, at: version.place, expected: "version \(Self.version)", found: "\(number)",
                remedy: remedy)
        }
        let requires = try root.member("requires")
        let names = try requires.strings()
        let unknown = names.filter { !knownRequirements.contains($0) }
        guard unknown.isEmpty else {
            let shown = unknown.prefix(10).map(JSONValue.quoted).joined(separator: ", ")
            throw VernierError(
                .unsupportedVersion, at: requires.place, expected: "only features that this version knows",
                found: "\(shown)\(unknown.count > 10 ? " and \(unknown.count - 10) more" : "")", remedy: remedy)
        }
        return names.sorted()
    }

    /// Reads the table; nothing larger than the file is allocated before its rows are seen to be there.
    private static func capacities(
        _ cursor: JSONCursor, model: ModelIdentity, schedule: ScaleSchedule
    ) throws -> CellCapacities {
        let branches = try cursor.elements()
        guard branches.count == 1 || branches.count == model.branches else {
            throw cursor.error(expected: "an array of 1 or \(model.branches) branches")
        }
        let cells = branches.count * schedule.scaleCount * model.layers * model.heads
        guard cells <= FormatLimits.cells else {
            throw cursor.error(expected: "at most \(FormatLimits.cells) cells", found: "\(cells)")
        }
        var tokens: [Int] = []
        for branch in branches {
            for (scale, row) in try branch.elements(count: schedule.scaleCount).enumerated() {
                let bounds = 0...schedule.historyTokens(scale)
                for layer in try row.elements(count: model.layers) {
                    if case .array(let heads) = layer.value {
                        guard heads.count == model.heads else {
                            throw layer.error(expected: "an array of \(model.heads)")
                        }
                        tokens += try layer.integers(in: bounds)
                    } else {
                        tokens += repeatElement(try layer.integer(in: bounds), count: model.heads)
                    }
                }
            }
        }
        return CellCapacities(
            branchCount: branches.count, scaleCount: schedule.scaleCount, layerCount: model.layers,
            headCount: model.heads, tokens: tokens)
    }

    private static func roles(
        _ cursor: JSONCursor, model: ModelIdentity, schedule: ScaleSchedule
    ) throws -> [[LayerRole]] {
        let rows = try cursor.elements()
        guard rows.isEmpty || rows.count == schedule.scaleCount else {
            throw cursor.error(expected: "an array of 0 or \(schedule.scaleCount) scales")
        }
        return try rows.map { row in
            let letters = try row.string()
            let roles = letters.compactMap(LayerRole.init(letter:))
            guard letters.count == model.layers, roles.count == model.layers else {
                throw row.error(expected: "\(model.layers) letters of d (drafter), r (refiner) and -")
            }
            return roles
        }
    }
}
