import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Turns a budget into slots per branch and has a policy divide them.
struct SlotSearch {
    let statistics: CalibrationStatistics
    let policy: any AllocationPolicy
    let parameters: Parameters
    let request: CompilationRequest
    /// How the slots are stored.
    let storage: CellStorage

    private var schedule: ScaleSchedule { statistics.schedule }
    private var cells: Int { statistics.identity.layers * statistics.identity.heads }
    private var fullSlots: Int { schedule.finalHistoryTokens * cells }
    private var place: String { "budget of \(request.budget)" }

    /// What the policy makes of the budget.
    ///
    /// Throws ``VernierError/Code/infeasibleBudget`` with the numbers if nothing fits.
    func allocation() throws -> Allocation {
        guard fullSlots > 0 else {
            throw VernierError(
                .infeasibleBudget, at: place, expected: "a schedule of at least 2 scales", found: "1",
                remedy: "A model of one scale has no history and needs no profile.")
        }
        if let bytes = request.budget.bytes { return try allocation(within: bytes) }
        let whole = request.budget.slots(schedule: schedule, cells: cells) ?? 0
        guard whole > 0 else {
            throw VernierError(
                .infeasibleBudget, at: place, expected: "at least 1 slot per branch",
                found: "none for \(cells) cells",
                remedy: "The full cache has \(fullSlots) slots per branch; ask for at least "
                    + "\(1 / Double(cells)) tokens per cell.")
        }
        return try allocate(whole)
    }

    private func allocate(_ slots: Int) throws -> Allocation {
        try policy.allocate(
            AllocationProblem(statistics: statistics, slotsPerBranch: slots, selection: request.selection),
            parameters: parameters)
    }

    private func plan(_ allocation: Allocation) -> ResidentPlan {
        ResidentPlan(
            capacities: allocation.capacities, schedule: schedule, storage: storage,
            headWidth: statistics.identity.headWidth, branches: statistics.identity.branches)
    }

    /// The allocation of the most slots whose predicted resident bytes stay within `bytes`.
    ///
    /// The last scale alone bounds the slots from above, but a policy that moves capacity between layers from scale to
    /// scale holds more between two steps. Policies decide by whole mean tokens per cell, so the search steps down from
    /// that bound one token per cell at a time and then goes through the slots of the first block that fits.
    private func allocation(within bytes: Int) throws -> Allocation {
        let full = try allocate(fullSlots)
        let fullPlan = plan(full)
        if fullPlan.residentBytes() <= bytes { return full }
        let most = min(bytes / (fullPlan.leastBytesPerSlot * fullPlan.branches), fullSlots - 1)
        var leastBytes = fullPlan.leastBytesPerSlot * fullPlan.branches
        guard most > 0 else { throw tooFewBytes(bytes, leastBytes, fullPlan.residentBytes()) }
        if policy is RateDistortionPolicy { return try measuredAllocation(within: bytes, most: most) }
        for block in stride(from: most / cells, through: 0, by: -1) {
            let first = max(block * cells, 1)
            do {
                let smallest = try allocate(first)
                leastBytes = plan(smallest).residentBytes()
                guard leastBytes <= bytes else { continue }
                for slots in stride(from: min(first / cells * cells + cells - 1, most), to: first, by: -1) {
                    let allocation = try allocate(slots)
                    if plan(allocation).residentBytes() <= bytes { return allocation }
                }
                return smallest
            } catch let error as VernierError where error.code == .infeasibleBudget {
                // The policy has a smallest budget, and all that remain are smaller.
                throw tooFewBytes(bytes, leastBytes, fullPlan.residentBytes(), error)
            }
        }
        throw tooFewBytes(bytes, leastBytes, fullPlan.residentBytes())
    }

    /// The same for a policy that decides by every slot and takes its time: steps down in proportion to what is too much,
    /// then halves the gap to the last that was too much a few times.
    private func measuredAllocation(within bytes: Int, most: Int) throws -> Allocation {
        var tooMany = most + 1, slots = most, best: Allocation?, fitting = 0
        while best == nil {
            let allocation = try allocate(slots)
            let found = plan(allocation).residentBytes()
            if found <= bytes {
                (best, fitting) = (allocation, slots)
                break
            }
            tooMany = slots
            slots = min(Int((Double(slots) * Double(bytes) / Double(found)).rounded(.down)), slots - 1)
            guard slots > 0 else { throw tooFewBytes(bytes, found, plan(try allocate(fullSlots)).residentBytes()) }
        }
        for _ in 0..<Self.refinements where tooMany - fitting > 1 {
            let middle = (fitting + tooMany) / 2
            let allocation = try allocate(middle)
            if plan(allocation).residentBytes() <= bytes {
                (best, fitting) = (allocation, middle)
            } else {
                tooMany = middle
            }
        }
        return try best ?? allocate(fitting)
    }

    /// How often the gap is halved: what is left is below a hundredth of the first step down.
    private static let refinements = 7

    private func tooFewBytes(
        _ bytes: Int, _ least: Int, _ full: Int, _ underlying: VernierError? = nil
    ) -> VernierError {
        VernierError(
            .infeasibleBudget, at: place,
            problems: ["'\(policy.name)' needs at least about \(least) resident bytes, found \(bytes)"],
            remedy: "The full cache takes \(full) bytes for one image; ask for more, or choose another policy.",
            underlying: underlying)
    }
}
