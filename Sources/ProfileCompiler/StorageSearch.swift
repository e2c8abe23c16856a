import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Divides a budget among slots and, on demand, between their number and their format.
struct StorageSearch {
    /// What was decided.
    struct Choice {
        var allocation: Allocation
        var storage: CellStorage
        /// What the plan's steps are predicted to cost, and what storing its slots; see ``StorageCost``. 0 where
        /// nothing was to be chosen.
        var slotCost = 0.0
        var storageCost = 0.0
        /// Both.
        var cost: Double { slotCost + storageCost }
    }

    let statistics: CalibrationStatistics
    let policy: any AllocationPolicy
    let parameters: Parameters
    let request: CompilationRequest

    /// How much storage may cost beside what the slots cost when the budget says nothing of bytes.
    static let mostAddedCost = 0.1

    /// Whether the format is to be chosen: the request says so, or the parameters, which are those of a profile whose
    /// format was chosen.
    private var chooses: Bool {
        request.storage == .chosen || parameters.text(RateDistortionPolicy.storage) == RateDistortionPolicy.chosen
    }

    /// Decides. Throws what ``SlotSearch/allocation()`` throws, and if a choice is demanded and cannot be made
    /// ``VernierError/Code/invalidArgument`` or, without storage errors, ``VernierError/Code/corruptState``.
    func choice() throws -> Choice {
        guard chooses else {
            guard case .fixed(let storage) = request.storage else { return try chosen() }
            return Choice(allocation: try search(storage).allocation(), storage: storage)
        }
        return try chosen()
    }

    private func search(_ storage: CellStorage) -> SlotSearch {
        SlotSearch(
            statistics: statistics, policy: policy, parameters: parameters, request: request, storage: storage)
    }

    private func chosen() throws -> Choice {
        try requireChoice()
        var marked = self.parameters
        marked[RateDistortionPolicy.storage] = .string(RateDistortionPolicy.chosen)
        var choice = try request.budget.bytes == nil ? narrowest() : cheapest()
        choice.allocation.parameters = marked
        return choice
    }

    private func requireChoice() throws {
        let form = PlanForm(request.selection)
        guard policy is RateDistortionPolicy, let form, form.needsSketches else {
            throw VernierError(
                .invalidArgument, at: "storage",
                expected: "the policy '\(RateDistortionPolicy.name)' with pooling-plan or position-plan, to choose",
                found: "'\(policy.name)' with '\(request.selection.name)'",
                remedy: "Name a format, or take that policy and selection.")
        }
        guard statistics.hasStorageErrors else {
            throw VernierError(
                .corruptState, at: "statistics", expected: "storage errors, to choose a format", found: "none",
                remedy: "Calibrate again with --sensitivity-prompts 2, or name a format.")
        }
    }

    /// From most bytes to fewest.
    private var formats: [StorageFormat] {
        StorageFormat.knownNames.compactMap(StorageFormat.init(name:)).filter {
            $0 == .float32 || statistics.settings.storageFormats.contains($0)
        }
    }

    /// Under a budget in bytes: what costs least; the wider of equals.
    private func cheapest() throws -> Choice {
        var best: Choice?, failure: (any Error)?
        for format in formats {
            do {
                let allocation = try search(CellStorage(uniform: format)).allocation()
                let found = choice(format, allocation, storageCost(allocation))
                if best.map({ found.cost < $0.cost }) ?? true { best = found }
            } catch let error as VernierError where error.code == .infeasibleBudget {
                // A narrower one may fit.
                failure = error
            }
        }
        if let best { return best }
        throw failure ?? VernierError(.corruptState, at: "storage", problems: ["no format to choose from"])
    }

    /// Under a budget in slots: the narrowest that adds little; float32, which adds nothing, always does.
    private func narrowest() throws -> Choice {
        let allocation = try search(.float32).allocation()
        let costs = storageCost(allocation), most = Self.mostAddedCost * (allocation.cost ?? 0)
        let format = formats.last { costs?.cost(of: $0) ?? .infinity <= most } ?? .float32
        return choice(format, allocation, costs)
    }

    private func storageCost(_ allocation: Allocation) -> StorageCost? {
        allocation.plan.map {
            StorageCost(
                statistics: statistics, plan: $0,
                layerWeights: RateDistortionPolicy.layerWeights(statistics, parameters: parameters))
        }
    }

    private func choice(_ format: StorageFormat, _ allocation: Allocation, _ costs: StorageCost?) -> Choice {
        Choice(
            allocation: allocation, storage: CellStorage(uniform: format), slotCost: allocation.cost ?? 0,
            storageCost: costs?.cost(of: format) ?? 0)
    }
}
