import ProfileFormat

/// The forms a plan of fixed boundary maps may take (`method.md` section 4).
enum PlanForm: Sendable, Hashable {
    /// How the members of a group count in its mean.
    enum Mean: Sendable, Hashable {
        /// All alike: no coefficients need be stored.
        case plain
        /// By their attention mass for the next scale.
        case mass
    }

    /// Slots are means of groups chosen by measured cost; dropping where that is cheaper, if `drops`.
    case pooling(keyWeight: Float, drops: Bool, mean: Mean)
    /// Slots are single positions, the rest is dropped; with `summary` it shares one more slot instead.
    case positions(summary: Bool)
    /// Slots are means of neighbours on the maps, whatever was measured.
    case spatial

    /// What a step costs in this form.
    var cost: MergeCost {
        switch self {
        case .pooling(let keyWeight, let drops, _): MergeCost(keyWeight: keyWeight, drops: drops)
        case .positions: MergeCost(pools: false)
        case .spatial: MergeCost(measure: .geometric, drops: false)
        }
    }

    /// The form that a selection rule asks for; nil for rules that score at run time.
    init?(_ selection: SelectionRule) {
        let parameters = selection.parameters
        switch selection.name {
        case "pooling-plan":
            self = .pooling(
                keyWeight: Float(parameters.number("keyWeight") ?? SelectionRule.standardKeyWeight),
                drops: parameters.bool("drops") ?? false,
                mean: parameters.bool("massWeighted") ?? true ? .mass : .plain)
        case "position-plan": self = .positions(summary: parameters.bool("summary") ?? false)
        case "spatial": self = .spatial
        default: return nil
        }
    }

    /// Whether the form goes by measured sketches.
    var needsSketches: Bool { self != .spatial }
}
