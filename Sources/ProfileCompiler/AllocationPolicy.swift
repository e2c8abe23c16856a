import ProfileFormat

/// One way to divide the slots of a budget among the cells.
///
/// A new policy is one file with a type like this and one row in ``PolicyTable``. It says how many tokens every cell
/// should hold; ``AllocationProblem/fill(_:)`` makes the numbers exact and keeps them within bounds.
protocol AllocationPolicy: Sendable {
    /// The name in requests and profiles.
    var name: String { get }
    /// What the policy does, in one sentence.
    var summary: String { get }
    /// The parameters it takes.
    var parameters: [PolicyParameter] { get }

    /// Divides the slots.
    ///
    /// `parameters` are complete except for those without a standard value. Throws
    /// ``VernierError/Code/infeasibleBudget`` or ``VernierError/Code/invalidArgument``.
    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation
}

/// What a policy decided.
struct Allocation {
    /// Tokens per cell.
    var capacities: CellCapacities
    /// The boundary maps, if the policy has made them with the capacities.
    var plan: PoolingPlan?
    /// The role of every layer at every scale, [scale][layer]; empty if the policy knows none.
    var roles: [[LayerRole]] = []
    /// The parameters it ran with, all of them.
    var parameters: Parameters
    /// What the steps of the plan are predicted to cost, if the policy knows: squared error at the residual stream
    /// times the weight of layer and scale, summed over cells and scales.
    var cost: Double?
    /// Which source scales every head holds, if the policy drops whole ones.
    var blocks: HeatKVSchedule?
    /// The structural heads, if the policy tells two classes apart.
    var structuralHeads: HeadSet?
}
