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
    /// How each cell stores them, or that the compiler is to choose.
    public var storage: StorageDemand
    /// The version of Vernier that compiles, for the provenance.
    public var toolVersion: String

    /// Makes a request with given storage.
    public init(
        policy: PolicyDescription, budget: BudgetRequest, selection: SelectionRule = .attentionMass(),
        storage: CellStorage = .float32, toolVersion: String
    ) {
        self.init(
            policy: policy, budget: budget, selection: selection, storage: .fixed(storage), toolVersion: toolVersion)
    }

    /// Makes a request, for example with storage that is ``StorageDemand/chosen``.
    public init(
        policy: PolicyDescription, budget: BudgetRequest, selection: SelectionRule = .attentionMass(),
        storage: StorageDemand, toolVersion: String
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
