import ProfileFormat
import VernierCore

/// The selection rules this runtime knows, by their names in profiles.
public enum SelectorRegistry {
    /// All names, in the order in which help texts list them.
    public static let names = [
        AttentionMassRule.name, ObservationWindowRule.name, SinkRecentRule.name, SlidingWindowRule.name, RandomRule.name,
    ]

    /// Makes the rule that a profile names.
    ///
    /// Throws ``VernierError/Code/unsupportedVersion`` for a name, and ``VernierError/Code/invalidArgument`` for a
    /// parameter, that this runtime does not know.
    public static func selector(for rule: SelectionRule, at place: String) throws -> any SlotSelector {
        var parameters = rule.parameters
        func take(_ name: String, _ standard: Int, _ range: ClosedRange<Int>) throws -> Int {
            guard let value = parameters.removeValue(forKey: name) else { return standard }
            guard let whole = Int(exactly: value), range.contains(whole) else {
                throw VernierError(
                    .invalidArgument, at: "\(place), selection \(rule.name)",
                    expected: "\(name) a whole number in \(range)", found: "\(value)")
            }
            return whole
        }
        let selector: any SlotSelector
        switch rule.name {
        case AttentionMassRule.name: selector = AttentionMassRule(valueNorm: try take("valueNorm", 0, 0...1) == 1)
        case ObservationWindowRule.name: selector = ObservationWindowRule(side: try take("side", 4, 1...64))
        case SinkRecentRule.name: selector = SinkRecentRule(sinkScales: try take("sinkScales", 2, 1...64))
        case SlidingWindowRule.name: selector = SlidingWindowRule()
        case RandomRule.name:
            selector = RandomRule(seed: UInt64(try take("seed", 0, 0...(1 << 53))))
        default:
            throw VernierError(
                .unsupportedVersion, at: place, expected: "one of the selection rules \(names.joined(separator: ", "))",
                found: "'\(rule.name)'", remedy: "Update Vernier, or compile the profile with a rule that it knows.")
        }
        guard parameters.isEmpty else {
            throw VernierError(
                .invalidArgument, at: "\(place), selection \(rule.name)",
                problems: ["unknown parameters \(parameters.keys.sorted().joined(separator: ", "))"])
        }
        return selector
    }
}
