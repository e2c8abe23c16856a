import VernierCore

/// What a calibrated model ships: how much cache every cell keeps, by which rule, in which format, and why.
///
/// A profile is valid by construction: both ways to make one, from parts and from a file, refuse what breaks the
/// invariants of ``checkInvariants()``.
public struct Profile: Sendable, Hashable {
    /// The value of the file's `format` member.
    public static let format = "vernier-profile"
    /// The version of the format that this build reads and writes.
    public static let version = 1
    /// The entries of ``requires`` that this build can honour.
    public static let knownRequirements = [
        ModelIdentity.architectureOnlyRequirement, PoolingPlan.requirement, Provenance.importedRequirement,
    ]

    /// Features that a reader must know, or else refuse the profile; sorted.
    public let requires: [String]
    /// The model the profile was calibrated on.
    public let model: ModelIdentity
    /// The token maps it was calibrated for.
    public let schedule: ScaleSchedule
    /// Which policy allocated the capacities.
    public let policy: PolicyDescription
    /// Which tokens a cell keeps.
    public let selection: SelectionRule
    /// How every cell's kept keys and values are stored.
    public let storage: CellStorage
    /// The budget that was asked for.
    public let requestedBudget: BudgetRequest
    /// The budget that the capacities come to.
    public let realisedBudget: RealisedBudget
    /// Tokens per cell.
    public let capacities: CellCapacities
    /// The boundary maps of a selection that is planned (``SelectionRule/isPlanned``); nil for rules that score.
    public let plan: PoolingPlan?
    /// The role of every layer at every scale, [scale][layer]; empty if the policy knows no roles.
    public let roles: [[LayerRole]]
    /// How the predicted bytes come about, as text.
    public let residentFormula: String
    /// Where the profile comes from.
    public let provenance: Provenance
    /// What it was seen to do on held-out prompts; nil until `vernier eval --attach`.
    public internal(set) var evidence: Evidence?

    /// Makes a profile from what a policy decided; budget and bytes are worked out.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` with everything that ``checkInvariants()`` finds.
    public init(
        model: ModelIdentity, schedule: ScaleSchedule, policy: PolicyDescription, selection: SelectionRule,
        storage: CellStorage, requestedBudget: BudgetRequest, capacities: CellCapacities,
        plan boundaries: PoolingPlan? = nil, roles: [[LayerRole]] = [], provenance: Provenance, requires: [String] = []
    ) throws {
        var problems = Self.shapeProblems(
            model: model, schedule: schedule, capacities: capacities, storage: storage)
        // Before the ledger, which may count on capacities that fit the schedule.
        if problems.isEmpty { problems = Self.capacityProblems(schedule: schedule, capacities: capacities) }
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: "profile", problems: problems) }
        let plan = ResidentPlan(
            capacities: capacities, schedule: schedule, storage: storage, headWidth: model.headWidth,
            branches: model.branches)
        self.init(
            unchecked: Set(
                requires + Self.requirements(model: model, plan: boundaries, provenance: provenance)
            ).sorted(), model: model,
            schedule: schedule, policy: policy, selection: selection,
            storage: storage, requestedBudget: requestedBudget,
            realisedBudget: RealisedBudget(capacities: capacities, schedule: schedule, plan: plan),
            capacities: capacities, plan: boundaries, roles: roles, residentFormula: plan.formula,
            provenance: provenance)
        let violations = checkInvariants()
        guard violations.isEmpty else { throw VernierError(.invalidArgument, at: "profile", problems: violations) }
    }

    /// Puts the parts together as they are; the caller checks the invariants.
    init(
        unchecked requires: [String], model: ModelIdentity, schedule: ScaleSchedule, policy: PolicyDescription,
        selection: SelectionRule, storage: CellStorage, requestedBudget: BudgetRequest,
        realisedBudget: RealisedBudget, capacities: CellCapacities, plan: PoolingPlan?, roles: [[LayerRole]],
        residentFormula: String, provenance: Provenance
    ) {
        self.requires = requires
        self.model = model
        self.schedule = schedule
        self.policy = policy
        self.selection = selection
        self.storage = storage
        self.requestedBudget = requestedBudget
        self.realisedBudget = realisedBudget
        self.capacities = capacities
        self.plan = plan
        self.roles = roles
        self.residentFormula = residentFormula
        self.provenance = provenance
    }

    /// The same profile with other numbers in its plan, whose slots are as many.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` with everything that ``checkInvariants()`` finds.
    public func replacing(plan: PoolingPlan, selection: SelectionRule) throws -> Profile {
        try Profile(
            model: model, schedule: schedule, policy: policy, selection: selection, storage: storage,
            requestedBudget: requestedBudget, capacities: plan.capacities, plan: plan, roles: roles,
            provenance: provenance, requires: requires)
    }

    /// The byte ledger of this profile.
    public var residentPlan: ResidentPlan {
        ResidentPlan(
            capacities: capacities, schedule: schedule, storage: storage, headWidth: model.headWidth,
            branches: model.branches)
    }

    /// Predicted resident bytes for one image, all branches.
    public var residentBytes: Int { realisedBudget.residentBytes }

    /// SHA-256 of ``canonicalText()``.
    public func digest() throws -> String { Digest.of(Array(try canonicalText().utf8)) }
}
