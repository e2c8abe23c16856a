import ProfileFormat
import VernierCore

extension Allocation {
    /// The selection rule with what the policy knows of it, and the plan of a rule whose choice is the policy's.
    ///
    /// `scale-blocks` becomes the plan of ``blocks``, `hack` learns the structural heads; other rules stay as they are.
    /// Throws ``VernierError/Code/invalidArgument`` for one of these two rules with another policy.
    func complete(_ selection: SelectionRule) throws -> (selection: SelectionRule, plan: PoolingPlan?) {
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
            return (selection, nil)
        }
    }

    private static func mismatch(_ selection: SelectionRule, policy: String) -> VernierError {
        VernierError(
            .invalidArgument, at: "selection rule '\(selection.name)'", expected: "the policy '\(policy)'",
            found: "another", remedy: "What the rule keeps is decided by that policy.")
    }
}
