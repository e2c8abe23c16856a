import CalibrationStatistics
import ProfileFormat
import VernierCore

/// How far the two halves of a calibration decide alike: which history positions share a slot, and how much every cell
/// keeps.
///
/// Each half is compiled to a pooling plan by `rate-distortion`, and the plans are compared (``ProfileOverlap``). Groups
/// agree less than capacities do, and need not: positions that are attended alike may be merged one way or another at
/// the same cost. Source: split-half reliability; the adjusted Rand index is that of Hubert and Arabie 1985.
public struct HalvesAgreement: Sendable, Hashable {
    /// Prompts of each half.
    public let promptCounts: [Int]
    /// The budget at which the plans were made.
    public let budget: BudgetRequest
    /// Adjusted Rand index of the groups, mean over cells: 1 for the same, about 0 for unrelated ones.
    public let groupAgreement: Double
    /// ``ProfileOverlap/capacityOverlap``, 0 to 1.
    public let capacityOverlap: Double

    /// Compiles both halves; nil if none were kept, or one of them has no prompt.
    ///
    /// Throws what compiling throws, for example ``VernierError/Code/infeasibleBudget``.
    /// - Complexity: that of compiling two plans.
    public init?(_ statistics: CalibrationStatistics, budget: BudgetRequest = .keptShare(0.1)) throws {
        let halves = [true, false].compactMap { statistics.half(even: $0) }
        guard halves.count == 2 else { return nil }
        let profiles = try halves.map { half in
            try compile(
                statistics: half,
                request: CompilationRequest(
                    policy: PolicyDescription(name: CompilationRequest.defaultPolicyName(for: half)), budget: budget,
                    selection: SelectionRule(name: CompilationRequest.defaultSelectionName(for: half)),
                    toolVersion: "halves"))
        }
        let overlap = try ProfileOverlap(profiles[0], profiles[1])
        guard let groups = overlap.groupAgreement else { return nil }
        promptCounts = [statistics.halfCounts.even, statistics.halfCounts.odd]
        self.budget = budget
        groupAgreement = groups
        capacityOverlap = overlap.capacityOverlap
    }

    /// One line for people.
    public var summary: String {
        func short(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
        return "halves of \(promptCounts[0]) and \(promptCounts[1]) prompts: groups agree \(short(groupAgreement)) "
            + "(adjusted Rand index), capacities overlap \(short(capacityOverlap)) (rate-distortion at \(budget))"
    }
}
