import CalibrationStatistics
import ProfileFormat

/// What to make of the statistics: policy, budget, and how the runtime is to carry it out.
public struct CompilationRequest: Sendable, Hashable {
    /// The policy's name, and those parameters that differ from the default; see ``allocationPolicies``.
    public var policy: PolicyDescription
    /// The bound on the retained cache.
    public var budget: BudgetRequest
    /// Which tokens a cell keeps.
    public var selection: SelectionRule
    /// How each cell stores them.
    public var storage: CellStorage
    /// The version of Vernier that compiles, for the provenance.
    public var toolVersion: String

    /// Makes a request.
    public init(
        policy: PolicyDescription, budget: BudgetRequest, selection: SelectionRule = .attentionMass(),
        storage: CellStorage = .float32, toolVersion: String
    ) {
        self.policy = policy
        self.budget = budget
        self.selection = selection
        self.storage = storage
        self.toolVersion = toolVersion
    }

    /// The policy and the selection rule to take when none is asked for: ours, or what needs no sketches.
    public static func defaultPolicyName(for statistics: CalibrationStatistics) -> String {
        statistics.hasSketches ? RateDistortionPolicy.name : "scalekv"
    }
    public static func defaultSelectionName(for statistics: CalibrationStatistics) -> String {
        (statistics.hasSketches ? SelectionRule.poolingPlan() : .attentionMass()).name
    }
}
