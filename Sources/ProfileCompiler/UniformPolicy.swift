import ProfileFormat

/// Every cell holds the same number of tokens; what does not divide goes to the cells of lowest index.
struct UniformPolicy: AllocationPolicy {
    let name = "uniform"
    let summary = "Every cell holds the same number of tokens."
    let parameters: [PolicyParameter] = []

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let capacities = problem.fill { _ in
            [Int](repeating: problem.wholeMeanTokens, count: problem.layers)
        }
        return Allocation(capacities: capacities, parameters: parameters)
    }
}
