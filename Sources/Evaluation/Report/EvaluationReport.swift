import VernierCore

/// What an evaluation found: the full cache first, then one row a cache policy, over the same prompts and seeds.
public struct EvaluationReport: Sendable {
    /// The model's name.
    public let model: String
    /// What the model chooses, `bit` or `token`: the unit of agreement and divergence.
    public let choice: String
    /// The prompts in the order of ``PictureRecord/prompt``.
    public let prompts: [String]
    /// The seeds in the order of ``PictureRecord/seed``.
    public let seeds: [UInt64]
    /// The rows; the first is the baseline.
    public let rows: [EvaluationRow]
    /// The row that the others are compared with prompt by prompt; nil for no such table.
    public let comparedRow: String?
    /// The seed of the intervals' resampling.
    public let bootstrapSeed: UInt64
    /// Everything needed to run the evaluation again, as written to `settings.json`.
    public let settings: JSONValue

    /// Makes a report.
    ///
    /// Throws ``VernierCore/VernierError/Code/emptyInput`` without rows, and
    /// ``VernierCore/VernierError/Code/invalidArgument`` if names repeat, `comparedRow` is no row, or a record points to
    /// a prompt or a seed that is not there; all problems are reported together.
    public init(
        model: String, choice: String = "bit", prompts: [String], seeds: [UInt64], rows: [EvaluationRow],
        comparedRow: String? = nil,
        bootstrapSeed: UInt64, settings: JSONValue
    ) throws {
        guard !rows.isEmpty else {
            throw VernierError(.emptyInput, at: "evaluation", expected: "at least one row", found: "none")
        }
        var problems: [String] = []
        var names: Set<String> = []
        for row in rows {
            if !names.insert(row.name).inserted { problems.append("the row '\(row.name)' appears twice") }
            let strays = row.records.count { !prompts.indices.contains($0.prompt) || !seeds.indices.contains($0.seed) }
            if strays > 0 {
                problems.append(
                    "expected records of \(prompts.count) prompts and \(seeds.count) seeds in row '\(row.name)', "
                        + "found \(strays) of others")
            }
        }
        if let comparedRow, !names.contains(comparedRow) {
            problems.append("expected a row '\(comparedRow)' to compare with, found none")
        }
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: "evaluation", problems: problems) }
        self.model = model
        self.choice = choice
        self.prompts = prompts
        self.seeds = seeds
        self.rows = rows
        self.comparedRow = comparedRow
        self.bootstrapSeed = bootstrapSeed
        self.settings = settings
    }
}
