import ProfileFormat
import VernierCore

/// ScaleKV as printed (arXiv 2505.19602, Eq. 4): refiners lose the same number of tokens at every scale.
///
/// At the i-th compressed scale (from 0) a refiner holds `B_r(i) = B_r(0) - delta * i`, rounded down, at least 0, with
/// `B_r(0) = start * B`; drafters share evenly what is freed: `B + (B - B_r) (L - h) / h`, within the bounds. The paper
/// gives neither start nor delta. If delta is left out, refiners reach 200 of 650 of B, the least of the released
/// tables, at the last scale.
struct ScaleKVLinearPolicy: AllocationPolicy {
    let name = "scalekv-linear"
    let summary = "Drafters hold what refiners give up, linearly from scale to scale, as in the paper of ScaleKV."
    let parameters =
        SelectivityIndex.parameters + [
            PolicyParameter(
                name: "delta",
                meaning: "The tokens that a refiner loses at every compressed scale after the first; if left out, what "
                    + "leads to 200 of 650 of the mean at the last.",
                standard: nil, domain: .number(0...Double.greatestFiniteMagnitude)),
            PolicyParameter(
                name: "start", meaning: "What a refiner holds at the first compressed scale, as a share of the mean.",
                standard: 1.0, domain: .number(0...1)),
        ]

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let index = try SelectivityIndex(parameters, statistics: problem.statistics, policy: name)
        let (roles, complete) = try index.roles(problem, parameters: parameters, policy: name)
        let mean = problem.wholeMeanTokens
        guard mean >= 1 else {
            throw VernierError(
                .infeasibleBudget, at: "policy '\(name)'", expected: "at least 1 token per cell",
                found: "\(Double(problem.slotsPerBranch) / Double(problem.cells))",
                remedy: "Ask for a larger budget, or choose the policy 'uniform'.")
        }
        let scales = problem.compressedScales
        let start = (parameters.number("start") ?? 1) * Double(mean)
        let (floor, base) = ScaleKVPolicy.releasedFloor
        let end = Double(floor) / Double(base) * Double(mean)
        let delta = parameters.number("delta") ?? max(0, start - end) / Double(max(scales.count - 1, 1))
        let capacities = problem.fill { scale in
            let step = Double(scale - (scales.first ?? scale))
            let refiner = Int(max(0, start - delta * step).rounded(.down))
            let drafters = roles[scale].count { $0 == .drafter }
            guard drafters > 0, drafters < problem.layers else {
                return [Int](repeating: mean, count: problem.layers)
            }
            let drafter = mean + (mean - refiner) * (problem.layers - drafters) / drafters
            return roles[scale].map { $0 == .drafter ? drafter : refiner }
        }
        var final = complete
        final["delta"] = .number(delta)
        return Allocation(capacities: capacities, roles: roles, parameters: final)
    }
}
