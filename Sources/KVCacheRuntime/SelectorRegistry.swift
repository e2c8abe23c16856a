import ProfileFormat
import VernierCore

/// The selection rules this runtime carries out, by their names in profiles.
public enum SelectorRegistry {
    /// Makes the rule that a profile names.
    ///
    /// `tape` is where the rule `oracle` finds the attention of a full-cache run; its owner records that run first.
    ///
    /// Throws ``VernierError/Code/unsupportedVersion`` for a rule that the profile format knows but this runtime does
    /// not carry out, and for those that the compiler has carried out already: they are plans, see ``Retention``. Throws
    /// ``VernierError/Code/invalidArgument`` for the oracle without a tape.
    public static func selector(
        for rule: SelectionRule, at place: String = "profile", tape: AttentionTape? = nil
    ) throws -> any SlotSelector {
        let parameters = rule.parameters
        let window = parameters.integer("window") ?? 16
        switch rule.name {
        case AttentionMatchingRule.name:
            return AttentionMatchingRule(
                score: .init(name: parameters.text("score") ?? "") ?? .rms, ridge: parameters.number("ridge") ?? 0.001,
                references: parameters.integer("references") ?? 256)
        case CakeRule.name: return CakeRule(window: window, gamma: parameters.number("gamma") ?? 200)
        case H2ORule.name: return H2ORule()
        case HackRule.name:
            return HackRule(
                structuralHeads: HeadSet(text: parameters.text("structuralHeads") ?? "") ?? HeadSet([]),
                observers: parameters.integer("observers") ?? 32,
                initialScales: parameters.integer("initialScales") ?? 2)
        case OracleRule.name:
            guard let tape else {
                throw VernierError(
                    .invalidArgument, at: place, expected: "a full-cache run before the rule 'oracle'", found: "none",
                    remedy: "Generate through an ImageGenerator, which runs it.")
            }
            return OracleRule(
                tape: tape, horizon: parameters.integer("horizon") ?? 1, valueNorm: parameters.bool("valueNorm") ?? true
            )
        case ScaleKVCompatRule.name:
            return ScaleKVCompatRule(
                window: window, pooling: pooling(parameters) ?? .max(reach: 2),
                usesReleasedSizes: parameters.bool("releasedSizes") ?? false)
        case SnapKVRule.name:
            return SnapKVRule(window: window, pooling: pooling(parameters) ?? .average(reach: 2))
        case AttentionMassRule.name: return AttentionMassRule(valueNorm: parameters.bool("valueNorm") ?? false)
        case ObservationWindowRule.name:
            return ObservationWindowRule(
                side: parameters.integer("side") ?? 4, pooling: pooling(parameters) ?? .none,
                keepsWindow: parameters.bool("keepsWindow") ?? true)
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

    private static func pooling(_ parameters: Parameters) -> NeighbourPooling? {
        parameters.text("pooling").flatMap { NeighbourPooling(name: $0, reach: parameters.integer("reach") ?? 2) }
    }
}
