import VernierCore

/// All policies. A new one is a row here.
enum PolicyTable {
    static let policies: [any AllocationPolicy] = [
        RateDistortionPolicy(),
        UniformPolicy(),
        PyramidPolicy(),
        HeadAdaptivePolicy(),
        CakePolicy(),
        ScaleKVPolicy(),
        ScaleKVLinearPolicy(),
        HeatKVPolicy(),
        HackPolicy(),
    ]

    /// The policy called `name`. Throws ``VernierError/Code/invalidArgument`` with the known names.
    static func policy(named name: String) throws -> any AllocationPolicy {
        guard let policy = policies.first(where: { $0.name == name }) else {
            throw VernierError(
                .invalidArgument, at: "policy", expected: "one of \(policies.map(\.name).joined(separator: ", "))",
                found: JSONValue.quoted(name))
        }
        return policy
    }
}

/// What a policy is called, does and takes: for help texts.
public struct PolicyInformation: Sendable {
    /// The name in requests and profiles.
    public let name: String
    /// What the policy does, in one sentence.
    public let summary: String
    /// The parameters it takes.
    public let parameters: [PolicyParameter]
}

/// All policies that ``compile(statistics:request:)`` knows.
public let allocationPolicies: [PolicyInformation] = PolicyTable.policies.map {
    PolicyInformation(name: $0.name, summary: $0.summary, parameters: $0.parameters)
}
