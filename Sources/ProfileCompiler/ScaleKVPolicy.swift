import ProfileFormat
import VernierCore

/// ScaleKV as released (arXiv 2505.19602, StargazerX0/ScaleKV): drafters get what refiners give up, in whole numbers.
///
/// With B mean tokens and h drafters among L layers at a compressed scale, r is the largest whole number for which
/// `Max = B + (L - h) r / h` is whole, `Max <= Limit_k` and `Min = B - r >= floor`; drafters hold Max, refiners Min.
/// `Limit` is `H_k` at the first compressed scale, then `Limit_{k+1} = Max_k + n_k`. With no drafters, or nothing else,
/// all layers hold B.
///
/// Deviations, none of which touches the released tables: a mean that is not whole is cut to its whole part, and the
/// slots left over go one each to the cells of lowest index; a layer that turns from refiner to drafter is held to what
/// it can have, `capacity(k-1) + n_{k-1}`, and the rest spread evenly.
struct ScaleKVPolicy: AllocationPolicy {
    let name = "scalekv"
    let summary = "Drafters hold what refiners give up, as in the released code of ScaleKV."
    let parameters =
        SelectivityIndex.parameters + [
            PolicyParameter(
                name: "floor", meaning: "The least tokens of a refiner; 200 of 650 of the mean if left out.",
                standard: nil, domain: .integer(0...Int.max))
        ]

    /// The released tables' floor, at their mean of 650 tokens.
    static let releasedFloor = (floor: 200, mean: 650)

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let index = try SelectivityIndex(parameters, statistics: problem.statistics, policy: name)
        let decision = try index.roles(problem, parameters: parameters, policy: name)
        return try allocate(problem, roles: decision.roles, parameters: decision.parameters)
    }

    /// Divides the slots by given roles, [scale][layer].
    func allocate(_ problem: AllocationProblem, roles: [[LayerRole]], parameters: Parameters) throws -> Allocation {
        let mean = problem.wholeMeanTokens
        let (floor, base) = Self.releasedFloor
        let least = parameters.integer("floor") ?? (2 * floor * mean + base) / (2 * base)
        guard mean >= 1, least <= mean else {
            throw VernierError(
                .infeasibleBudget, at: "policy '\(name)'",
                expected: "at least \(max(least, 1)) tokens per cell, the floor of a refiner",
                found: "\(Double(problem.slotsPerBranch) / Double(problem.cells))",
                remedy: "Ask for a larger budget, or set a lower floor.")
        }
        var limit: Int?
        let capacities = problem.fill { scale in
            let drafters = roles[scale].count { $0 == .drafter }
            let (most, least) = Self.split(
                mean: mean, drafters: drafters, layers: problem.layers,
                limit: limit ?? problem.schedule.historyTokens(scale), floor: least)
            limit = most + problem.schedule.tokenCount(scale)
            return roles[scale].map { $0 == .drafter ? most : least }
        }
        var complete = parameters
        complete["floor"] = .integer(Int64(least))
        return Allocation(capacities: capacities, roles: roles, parameters: complete)
    }

    /// Max and Min of one scale.
    private static func split(mean: Int, drafters: Int, layers: Int, limit: Int, floor: Int) -> (most: Int, least: Int)
    {
        let refiners = layers - drafters
        guard drafters > 0, refiners > 0, limit > mean else { return (mean, mean) }
        // refiners * cut / drafters is whole for multiples of `step` only.
        let step = drafters / greatestCommonDivisor(drafters, refiners)
        let largest = min(mean - floor, (limit - mean) * drafters / refiners)
        let cut = largest - largest % step
        return (mean + refiners * cut / drafters, mean - cut)
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}
