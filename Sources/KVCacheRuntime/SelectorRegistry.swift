import ProfileFormat
import VernierCore

/// The selection rules this runtime carries out, by their names in profiles.
public enum SelectorRegistry {
    /// Makes the rule that a profile names.
    ///
    /// Throws ``VernierError/Code/unsupportedVersion`` for a rule that the profile format knows but this runtime does
    /// not carry out, and for those that the compiler has carried out already: they are plans, see ``Retention``.
    public static func selector(for rule: SelectionRule, at place: String = "profile") throws -> any SlotSelector {
        let parameters = rule.parameters
        switch rule.name {
        case AttentionMassRule.name: return AttentionMassRule(valueNorm: parameters.bool("valueNorm") ?? false)
        case ObservationWindowRule.name: return ObservationWindowRule(side: parameters.integer("side") ?? 4)
        case SinkRecentRule.name: return SinkRecentRule(sinkScales: parameters.integer("sinkScales") ?? 3)
        case SlidingWindowRule.name: return SlidingWindowRule()
        case RandomRule.name: return RandomRule(seed: UInt64(clamping: parameters.integer("seed") ?? 0))
        default:
            throw VernierError(
                .unsupportedVersion, at: place, expected: "a selection rule that this runtime carries out",
                found: JSONValue.quoted(rule.name),
                remedy:
                    "Update Vernier, or compile the profile with one of \(SelectionRule.knownNames.joined(separator: ", "))."
            )
        }
    }
}
