import CalibrationStatistics
import ProfileFormat
import VernierCore

extension Allocation {
    /// The selection rule with what the policy knows of it, and the plan of a rule whose choice the compiler makes: the
    /// policy's own plan if it has one, else one within its capacities.
    ///
    /// `scale-blocks` becomes the plan of ``blocks``, `hack` learns the structural heads; other rules stay as they are.
    /// Throws ``VernierError/Code/invalidArgument`` for one of these two rules with another policy.
    func complete(
        _ selection: SelectionRule, statistics: CalibrationStatistics
    ) throws -> (selection: SelectionRule, plan: PoolingPlan?) {
        switch selection.name {
        case SelectionRule.scaleBlocks.name:
            guard let blocks else { throw Self.mismatch(selection, policy: "heatkv") }
            return (selection, try blocks.plan())
        case "hack":
            guard let structuralHeads else { throw Self.mismatch(selection, policy: "hack") }
            var parameters = selection.parameters
            parameters["structuralHeads"] = .string(structuralHeads.text)
            return (try SelectionRule(name: selection.name, parameters: parameters), nil)
        default:
            guard let form = PlanForm(selection) else { return (selection, nil) }
            if let plan { return (selection, plan) }
            let builder = try PlanBuilder.forSelection(selection, form: form, statistics: statistics)
            return (selection, try builder.build(.capacities(capacities)).plan)
        }
    }

    private static func mismatch(_ selection: SelectionRule, policy: String) -> VernierError {
        VernierError(
            .invalidArgument, at: "selection rule '\(selection.name)'", expected: "the policy '\(policy)'",
            found: "another", remedy: "What the rule keeps is decided by that policy.")
    }
}
