import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Two classes of heads, of which one holds much less (HACK, arXiv 2504.09261).
///
/// Contextual heads look at the same few positions whatever the query, structural heads each query at its own
/// neighbourhood. The heads of all layers are ordered by the variance of their attention over queries at the last scale
/// (mean over branches; see `queryVariance`), ties to the lower layer and head; the `contextualShare` of lowest
/// variance is contextual. With a mean of B tokens, contextual heads hold `contextualBudget * B`, rounded down,
/// structural heads what is left, within the bounds.
///
/// The selection rule `hack` keeps by class; with another rule only the capacities are HACK's.
///
/// Deviations: the published share and budgets were not at hand. The defaults, one half and one third, give 10 % and 50
/// % at a budget of 30 %, which are what the paper finds each class to bear. The variance covers the history, not the
/// current map.
struct HackPolicy: AllocationPolicy {
    let name = "hack"
    let summary = "Heads whose attention is the same for all queries hold less than the others (HACK); needs sketches."
    let parameters = [
        PolicyParameter(
            name: "contextualBudget", meaning: "What a contextual head holds, as a share of the mean.",
            standard: .number(1.0 / 3), domain: .number(0...1)),
        PolicyParameter(
            name: "contextualShare", meaning: "The share of all heads that are contextual.", standard: 0.5,
            domain: .number(0...1)),
    ]

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let cells = problem.cells
        let variances = try (0..<cells).map {
            try variance(problem.statistics, layer: $0 / problem.heads, head: $0 % problem.heads)
        }
        let share = parameters.number("contextualShare") ?? 0.5
        let contextualCount = Int((share * Double(cells)).rounded())
        let order = variances.indices.sorted { (variances[$0], $0) < (variances[$1], $1) }
        let contextual = Set(order.prefix(contextualCount))

        let mean = Double(problem.slotsPerBranch) / Double(cells)
        let least = Int(((parameters.number("contextualBudget") ?? 1) * mean).rounded(.down))
        let rest = problem.slotsPerBranch - contextualCount * least
        let most = contextualCount < cells ? rest / (cells - contextualCount) : 0
        let wishes = (0..<cells).map { contextual.contains($0) ? least : most }
        let capacities = problem.fillCells { _, bounds in
            Settlement.settle(wishes: wishes, bounds: bounds, total: problem.slotsPerBranch)
        }
        let structural = (0..<problem.layers).map { layer in
            (0..<problem.heads).map { !contextual.contains(layer * problem.heads + $0) }
        }
        return Allocation(
            capacities: capacities, parameters: parameters, structuralHeads: HeadSet(structural))
    }

    private func variance(_ statistics: CalibrationStatistics, layer: Int, head: Int) throws -> Double {
        let last = statistics.schedule.scaleCount - 1
        return try (0..<statistics.identity.branches).reduce(0) { sum, branch in
            guard let variance = statistics.queryVariance(branch: branch, layer: layer, head: head, scale: last) else {
                throw VernierError(
                    .invalidArgument, at: "policy '\(name)'", expected: "statistics with sketches", found: "none",
                    remedy: "Calibrate with signs, or choose another policy.")
            }
            return sum + variance
        }
    }
}
