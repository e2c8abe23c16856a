import VernierCore

extension Profile {
    /// The most violations that are listed one by one.
    private static let shownViolations = 8

    /// Everything that is wrong with this profile, as readable sentences; empty if it is sound.
    ///
    /// Checked are: the tables of capacities and storage formats fit model and schedule; `0 <= capacity(k) <= min(H_k, capacity(k-1) + n_{k-1})`
    /// with 0 at scale 0; the realised budget is what the capacities come to, predicted bytes and their formula
    /// included; the realised budget stays within the requested one; roles fit; requirements are known; digests are
    /// digests; evidence is the profile's own.
    public func checkInvariants() -> [String] {
        var problems = Self.shapeProblems(
            model: model, schedule: schedule, capacities: capacities, storage: storage)
        let unknown = requires.filter { !Self.knownRequirements.contains($0) }
        if !unknown.isEmpty {
            problems.append("requires unknown features: \(unknown.map(JSONValue.quoted).joined(separator: ", "))")
        }
        problems += roleProblems + planProblems + provenance.problems
        guard problems.isEmpty else { return problems }
        problems = Self.capacityProblems(schedule: schedule, capacities: capacities)
        guard problems.isEmpty else { return problems }
        let plan = residentPlan
        problems += realisedBudget.differences(
            from: RealisedBudget(capacities: capacities, schedule: schedule, plan: plan))
        if residentFormula != plan.formula {
            problems.append(
                "expected the formula \(JSONValue.quoted(plan.formula)), found \(JSONValue.quoted(residentFormula))")
        }
        return problems + budgetProblems + evidenceProblems
    }

    /// What keeps the tables from being ones for the model and the schedule.
    static func shapeProblems(
        model: ModelIdentity, schedule: ScaleSchedule, capacities: CellCapacities, storage: CellStorage
    ) -> [String] {
        var problems = storage.problems(branches: model.branches, layers: model.layers, heads: model.heads)
        if capacities.branchCount != 1 && capacities.branchCount != model.branches {
            problems.append(
                "expected capacities for 1 or \(model.branches) branches, found \(capacities.branchCount)")
        }
        for (word, expected, found) in [
            ("scales", schedule.scaleCount, capacities.scaleCount), ("layers", model.layers, capacities.layerCount),
            ("heads", model.heads, capacities.headCount),
        ] where expected != found {
            problems.append("expected capacities for \(expected) \(word), found \(found)")
        }
        let cells = capacities.branchCount * capacities.scaleCount * capacities.layerCount * capacities.headCount
        if cells > FormatLimits.cells {
            problems.append("expected capacities for at most \(FormatLimits.cells) cells, found \(cells)")
        }
        return problems
    }

    /// The cells whose capacity is out of bounds; the table must have the schedule's scales.
    static func capacityProblems(schedule: ScaleSchedule, capacities: CellCapacities) -> [String] {
        var problems: [String] = []
        var count = 0
        for branch in 0..<capacities.branchCount {
            for scale in 0..<capacities.scaleCount {
                for layer in 0..<capacities.layerCount {
                    for head in 0..<capacities.headCount {
                        let capacity = capacities[branch, scale, layer, head]
                        let bound =
                            scale == 0
                            ? 0
                            : min(
                                schedule.historyTokens(scale),
                                max(capacities[branch, scale - 1, layer, head], 0) + schedule.tokenCount(scale - 1))
                        guard capacity < 0 || capacity > bound else { continue }
                        count += 1
                        guard count <= shownViolations else { continue }
                        problems.append(
                            "branch \(branch), scale \(scale), layer \(layer), head \(head): "
                                + "expected a capacity of 0 to \(bound) tokens, found \(capacity)")
                    }
                }
            }
        }
        if count > shownViolations {
            problems.append("\(count - shownViolations) more cells are out of bounds")
        }
        return problems
    }

    /// A planned selection has a plan, whose slots are the capacities; readers must know what is said so.
    private var planProblems: [String] {
        guard selection.isPlanned == (plan != nil) else {
            return [
                "expected \(selection.isPlanned ? "a" : "no") plan for the selection rule \(selection.name), "
                    + "found \(plan == nil ? "none" : "one")"
            ]
        }
        var problems = requirementProblems
        if let plan, plan.capacities != capacities {
            problems.append("expected a plan whose slots are the capacities, found other slots")
        }
        return problems
    }

    /// The features that a reader must know to use a profile of these parts.
    static func requirements(model: ModelIdentity, plan: PoolingPlan?, provenance: Provenance) -> [String] {
        [
            model.weightsDigest == nil ? ModelIdentity.architectureOnlyRequirement : nil,
            plan == nil ? nil : PoolingPlan.requirement,
            provenance.source == nil ? nil : Provenance.importedRequirement,
        ].compactMap { $0 }
    }

    /// Each feature is required exactly if the profile has what it is about.
    private var requirementProblems: [String] {
        let needed = Self.requirements(model: model, plan: plan, provenance: provenance)
        return [
            (ModelIdentity.architectureOnlyRequirement, "the model's weights are unknown"),
            (PoolingPlan.requirement, "there is a plan"),
            (Provenance.importedRequirement, "the profile was imported"),
        ].compactMap { name, reason in
            requires.contains(name) == needed.contains(name)
                ? nil : "expected the requirement \(JSONValue.quoted(name)) exactly if \(reason)"
        }
    }

    private var roleProblems: [String] {
        if roles.isEmpty { return [] }
        guard roles.count == schedule.scaleCount else {
            return ["expected roles for \(schedule.scaleCount) scales, found \(roles.count)"]
        }
        return roles.enumerated().compactMap { scale, row in
            row.count == model.layers
                ? nil : "scale \(scale): expected roles of \(model.layers) layers, found \(row.count)"
        }
    }

    private var budgetProblems: [String] {
        do {
            try requestedBudget.validate()
        } catch {
            return (error as? VernierError)?.problems ?? ["\(error)"]
        }
        if let bytes = requestedBudget.bytes {
            return realisedBudget.residentBytes <= bytes
                ? [] : ["expected at most the \(bytes) bytes asked for, found \(realisedBudget.residentBytes)"]
        }
        let cells = model.branches * model.layers * model.heads
        let slots = requestedBudget.slots(schedule: schedule, cells: cells) ?? 0
        return realisedBudget.lastScaleSlots <= slots
            ? []
            : [
                "expected at most \(slots) slots at the last scale by the budget asked for, "
                    + "found \(realisedBudget.lastScaleSlots)"
            ]
    }
}
