import ProfileFormat
import VernierCore

/// Capacity falls linearly from the first layer to the last (PyramidKV, arXiv 2406.02069).
///
/// With a mean of B tokens the last layer holds `B / beta`, the first `2B - B / beta`, but at most `H_k`; in that case
/// the last one holds what keeps the mean. Layers in between lie on the line, rounded down; what rounding leaves over
/// is spread evenly, from the first layer on.
///
/// Deviation from the paper: the observation window is not set aside, because the runtime keeps it only if the
/// selection rule does.
struct PyramidPolicy: AllocationPolicy {
    let name = "pyramid"
    let summary = "Capacity falls linearly from the first layer to the last (PyramidKV)."
    let parameters = [
        PolicyParameter(
            name: "beta", meaning: "The mean capacity divided by the last layer's; 1 is uniform.", standard: 20,
            domain: .number(1...1e6))
    ]

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let mean = Double(problem.wholeMeanTokens)
        let beta = parameters.number("beta") ?? 1
        let steps = Double(max(problem.layers - 1, 1))
        let capacities = problem.fill { scale in
            if problem.layers == 1 { return [problem.wholeMeanTokens] }
            let first = min(2 * mean - mean / beta, Double(problem.schedule.historyTokens(scale)))
            let last = 2 * mean - first
            return (0..<problem.layers).map { Int((first - (first - last) * Double($0) / steps).rounded(.down)) }
        }
        return Allocation(capacities: capacities, parameters: parameters)
    }
}
