import VernierCore

/// The tensors that a model needs, with their shapes, and those that it cannot have, checked all together before any of
/// them is read.
public struct TensorRequirements: Sendable {
    private struct Entry {
        var names: [String]
        var shape: [Int]
    }
    private var entries: [Entry] = []
    private var excluded: [(prefix: String, reason: String)] = []

    /// An empty list.
    public init() {}

    /// Requires a tensor of that shape; of several accepted `names` the first that exists counts.
    public mutating func add(_ names: String..., shape: [Int]) {
        entries.append(Entry(names: names, shape: shape))
    }

    /// Refuses tensors under a `prefix`: they would be passed over, and the rest would be run as another model than it is.
    ///
    /// `reason` says what the model has instead, for the message: "expected `reason`".
    public mutating func exclude(_ prefix: String, reason: String) {
        excluded.append((prefix, reason))
    }

    /// Checks names, shapes and number types (F32, F16 or BF16), and reports every fault in one error.
    ///
    /// Other tensors beyond the required ones are no fault. Throws ``VernierError/Code/mismatch``; at most
    /// ``reportedProblems`` faults are spelled out, the rest is counted.
    public func check(_ source: some TensorSource) throws {
        var problems: [String] = []
        for entry in entries {
            guard let view = try Self.first(of: entry.names, in: source) else {
                problems.append("no tensor '\(entry.names.joined(separator: "' or '"))' of shape \(entry.shape)")
                continue
            }
            if view.shape != entry.shape {
                problems.append("tensor '\(view.name)': expected shape \(entry.shape), found \(view.shape)")
            }
            if ![.f32, .f16, .bf16].contains(view.elementType) {
                problems.append("tensor '\(view.name)': expected F32, F16 or BF16, found \(view.elementType)")
            }
        }
        for (prefix, reason) in excluded {
            guard let name = source.tensorNames.first(where: { $0.hasPrefix(prefix) }) else { continue }
            problems.append("tensor '\(name)': expected \(reason)")
        }
        guard !problems.isEmpty else { return }
        let left = problems.count - Self.reportedProblems
        if left > 0 { problems = problems.prefix(Self.reportedProblems) + ["and \(left) more faults"] }
        throw VernierError(
            .mismatch, at: source.sourceName, problems: problems,
            remedy: "Check that the weights and the configuration belong to the same model.")
    }

    /// How many faults an error spells out.
    public static let reportedProblems = 20

    private static func first(of names: [String], in source: some TensorSource) throws -> TensorView? {
        for name in names {
            if let view = try source.tensor(name) { return view }
        }
        return nil
    }
}
