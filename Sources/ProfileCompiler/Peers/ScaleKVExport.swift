import ProfileFormat
import VernierCore

/// Writes a profile's budgets as ScaleKV's released code reads them (``ScaleKVBudgets``).
///
/// A budget file has one of two numbers for every block at each of five scales, for the schedule 1:1 at 1M and models of
/// 32 or 40 blocks. A profile of another schedule or size, one that evicts before the scale called 9, and budgets below the
/// released window of 16 tokens (where the released code crashes) are refused. Heads and branches that hold different
/// numbers, and more than two numbers at a scale, are averaged, rounded down, and said in the warnings.
///
/// How tokens are chosen and stored is not in the file: the released code has its own rule (`scalekv-compat` here), and
/// stores keys in float32 and values in bfloat16. A profile with another rule, with boundary maps or with narrower storage
/// is refused unless `budgetsOnly`, which leaves that out and says so.
///
/// Throws ``VernierError/Code/invalidArgument`` with everything that stands against it; `name` is the profile's file name.
public func exportScaleKVBudgets(_ profile: Profile, name: String, budgetsOnly: Bool = false) throws -> ExportedFile {
    let export = ScaleKVExport(profile: profile, name: name)
    let left = export.leftOut
    let problems = export.structuralProblems + (budgetsOnly ? [] : left)
    guard problems.isEmpty else {
        throw VernierError(
            .invalidArgument, at: name, problems: problems,
            remedy: problems == left
                ? "Ask for the budgets only, to write what can be written of it."
                : "The released code cannot run such a profile.")
    }
    let (budgets, warnings) = export.budgets()
    let least = budgets.rows.map(\.least).min() ?? 0
    guard least >= ScaleKVBudgets.window else {
        throw VernierError(
            .invalidArgument, at: name,
            expected: "at least \(ScaleKVBudgets.window) tokens a block, the released window",
            found: "\(least)", remedy: "The released code crashes on less; compile a larger budget.")
    }
    return ExportedFile(
        text: budgets.text, warnings: left.map { "\(name): \($0); left out" } + warnings, usage: budgets.usage)
}

/// What of a profile a budget file can say, and what not.
struct ScaleKVExport {
    let profile: Profile
    let name: String

    /// The models that the released code has a reader for, by their blocks.
    private static let knownBlocks = [32, 40]

    /// What no budget file can be made of.
    var structuralProblems: [String] {
        var problems: [String] = []
        if profile.schedule != ScaleKVBudgets.schedule {
            problems.append(
                "expected the schedule that the released code has built in, \(ScaleKVBudgets.schedule), "
                    + "found \(profile.schedule)")
        }
        if profile.model.family != "infinity" {
            problems.append("expected the family \"infinity\", found \(JSONValue.quoted(profile.model.family))")
        }
        if !Self.knownBlocks.contains(profile.model.layers) {
            problems.append("expected 32 or 40 layers, as the released code reads, found \(profile.model.layers)")
        }
        guard problems.isEmpty else { return problems }
        let capacities = profile.capacities, first = ScaleKVBudgets.scales.lowerBound
        let early = (0..<first).first { scale in
            let full = profile.schedule.historyTokens(scale) * capacities.layerCount * capacities.headCount
            return (0..<capacities.branchCount).contains { capacities.totalTokens(scale: scale, branch: $0) < full }
        }
        guard let early else { return [] }
        return [
            "expected the whole history before \(ScaleKVBudgets.name(scale: first)), found less at "
                + ScaleKVBudgets.name(scale: early)
        ]
    }

    /// What the file has no place for.
    var leftOut: [String] {
        var parts: [String] = []
        if profile.plan != nil {
            parts.append("the boundary maps of the rule \(profile.selection.name) cannot be said")
        } else if let released = try? SelectionRule(name: "scalekv-compat"), profile.selection != released {
            parts.append("the rule \(profile.selection) cannot be said; the released code runs \(released)")
        }
        if profile.storage != .float32, profile.storage != .bfloat16 {
            parts.append(
                "storage in \(profile.storage) cannot be said; the released code stores 6 bytes for a channel of key and "
                    + "value")
        }
        return parts
    }

    /// The numbers that come nearest, and where they are not the profile's.
    func budgets() -> (budgets: ScaleKVBudgets, warnings: [String]) {
        var warnings: [String] = []
        let rows = ScaleKVBudgets.scales.map { scale -> ScaleKVBudgets.Row in
            let place = "\(name): at \(ScaleKVBudgets.name(scale: scale))"
            let (means, unequal) = layerMeans(scale: scale)
            if unequal > 0 {
                warnings.append(
                    "\(place) the heads of \(unequal) layer\(unequal == 1 ? "" : "s") hold different numbers of tokens; "
                        + "their mean is written")
            }
            let row = Self.row(means, roles: profile.roles.isEmpty ? [] : profile.roles[scale])
            let error = means.indices.map { abs(means[$0] - row.tokens($0)) }.max() ?? 0
            if error > 0 {
                warnings.append(
                    "\(place) the layers hold \(Set(means).count) different numbers of tokens; \(row.most) and "
                        + "\(row.least) are written, at most \(error) off")
            }
            return row
        }
        return (ScaleKVBudgets(rows: rows), warnings)
    }

    /// The mean tokens of each layer over branches and heads, rounded down, and how many layers are not uniform.
    private func layerMeans(scale: Int) -> (tokens: [Int], unequal: Int) {
        let capacities = profile.capacities
        var unequal = 0
        let tokens = (0..<capacities.layerCount).map { layer in
            let held = (0..<capacities.branchCount).flatMap { branch in
                (0..<capacities.headCount).map { capacities[branch, scale, layer, $0] }
            }
            if Set(held).count > 1 { unequal += 1 }
            return held.reduce(0, +) / held.count
        }
        return (tokens, unequal)
    }

    /// The two numbers that come nearest to `tokens`, in squares, and which layers get the larger one.
    ///
    /// Roles decide where they fit the numbers; else every cut between neighbouring numbers is tried, and of two as good the
    /// lowest taken. Numbers that are all alike have no drafters.
    static func row(_ tokens: [Int], roles: [LayerRole]) -> ScaleKVBudgets.Row {
        let levels = Set(tokens).sorted()
        if roles.count == tokens.count, levels.count <= 2 {
            let drafters = roles.map { $0 == .drafter }
            let row = ScaleKVBudgets.Row(drafters: drafters, most: levels[levels.count - 1], least: levels[0])
            if tokens.indices.allSatisfy({ row.tokens($0) == tokens[$0] }) { return row }
        }
        var best = ScaleKVBudgets.Row(
            drafters: tokens.map { _ in false }, most: levels[levels.count - 1], least: levels[0])
        var bestCost = Double.infinity
        for next in levels.dropFirst() {
            let high = tokens.filter { $0 >= next }, low = tokens.filter { $0 < next }
            let row = ScaleKVBudgets.Row(
                drafters: tokens.map { $0 >= next }, most: high.reduce(0, +) / high.count,
                least: low.reduce(0, +) / low.count)
            let cost = tokens.indices.reduce(0.0) { sum, block in
                let difference = Double(tokens[block] - row.tokens(block))
                return sum + difference * difference
            }
            if cost < bestCost { (best, bestCost) = (row, cost) }
        }
        return best
    }
}
