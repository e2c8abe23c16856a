import VernierCore

extension Profile {
    /// What the profile says, for people: model, budget, and one row per scale with its history, its mean, least and
    /// largest capacity per cell, and its drafters.
    public func explain() -> String {
        let plan = residentPlan
        let realised = realisedBudget
        let head = [
            "model      \(model.name) (\(model.family)): \(model.layers) layers of \(model.heads) heads of "
                + "\(model.headWidth), \(model.branches) \(model.branches == 1 ? "branch" : "branches")",
            "policy     \(policy.name)\(policy.parameters.members.isEmpty ? "" : " (\(policy.parameters.summary))")",
            "selection  \(selection), stored as \(storage)",
            "asked for  \(requestedBudget)",
            "keeps      \(Self.decimal(realised.meanTokensPerCell)) of \(realised.fullHistoryTokens) tokens per cell, "
                + "\(Self.decimal(realised.keptShare * 100)) % of the full cache, at the last scale",
            "resident   \(realised.residentBytes) bytes for one image, full cache \(plan.fullCacheBytes()) bytes",
            "           \(residentFormula)",
        ]
        var rows = [["scale", "grid", "history", "mean", "least", "largest", "drafters"]]
        for scale in 0..<schedule.scaleCount {
            let grid = schedule.grids[scale]
            var (least, largest) = (Int.max, 0)
            for branch in 0..<capacities.branchCount {
                for layer in 0..<capacities.layerCount {
                    for head in 0..<capacities.headCount {
                        least = min(least, capacities[branch, scale, layer, head])
                        largest = max(largest, capacities[branch, scale, layer, head])
                    }
                }
            }
            let drafters = roles.isEmpty ? [] : roles[scale].indices.filter { roles[scale][$0] == .drafter }
            let cells = model.branches * model.layers * model.heads
            rows.append([
                "\(scale)", "\(grid.height)x\(grid.width)", "\(schedule.historyTokens(scale))",
                Self.decimal(Double(plan.slotsByScale[scale]) / Double(cells)), "\(least)", "\(largest)",
                drafters.isEmpty ? "-" : drafters.map(String.init).joined(separator: " "),
            ])
        }
        return (head + [""] + Self.table(rows)).map { "\($0)\n" }.joined()
    }

    /// Columns flush right, the last one flush left.
    private static func table(_ rows: [[String]]) -> [String] {
        let widths = (0..<rows[0].count - 1).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }
            return (cells + [row[row.count - 1]]).joined(separator: "  ")
        }
    }

    /// Two decimals, rounded half away from zero.
    private static func decimal(_ number: Double) -> String {
        let hundredths = Int((number * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
