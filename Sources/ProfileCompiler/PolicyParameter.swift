import ProfileFormat
import VernierCore

/// One parameter of a policy.
public struct PolicyParameter: Sendable {
    /// The values a parameter may take.
    enum Domain: Sendable {
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case choice([String])
    }

    /// The name in requests and profiles.
    public let name: String
    /// What it does and what it is if left out, in one sentence.
    public let meaning: String
    /// The value if it is left out; nil if it is then worked out from budget and statistics.
    public let standard: JSONValue?
    let domain: Domain

    /// The values it may take, for people.
    public var values: String {
        switch domain {
        case .integer(let range) where range.upperBound == Int.max: "a whole number of at least \(range.lowerBound)"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range) where range.upperBound == .greatestFiniteMagnitude:
            "a number of at least \(range.lowerBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let names): "one of \(names.joined(separator: ", "))"
        }
    }

    private func admits(_ value: JSONValue) -> Bool {
        switch (domain, value) {
        case (.integer(let range), .integer(let value)): Int(exactly: value).map(range.contains) ?? false
        case (.number(let range), .integer(let value)): range.contains(Double(value))
        case (.number(let range), .number(let value)): range.contains(value)
        case (.choice(let names), .string(let name)): names.contains(name)
        default: false
        }
    }

    /// The given parameters, checked, and the standard values of the others.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` with all unknown names and values out of range.
    static func complete(_ given: Parameters, _ known: [PolicyParameter], place: String) throws -> Parameters {
        var problems: [String] = []
        for member in given.members {
            guard let parameter = known.first(where: { $0.name == member.key }) else {
                let names = known.isEmpty ? "none" : known.map(\.name).joined(separator: ", ")
                problems.append("unknown parameter \(JSONValue.quoted(member.key)); known are: \(names)")
                continue
            }
            if !parameter.admits(member.value) {
                problems.append("\(member.key): expected \(parameter.values), found \(member.value.summary)")
            }
        }
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: place, problems: problems) }
        return known.reduce(into: [:]) { complete, parameter in
            complete[parameter.name] = given[parameter.name] ?? parameter.standard
        }
    }
}
