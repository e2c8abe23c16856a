extension CalibrationStatistics {
    /// What forbids the use of these statistics, at most eight problems that say where; empty if nothing does.
    ///
    /// Checked: at least one prompt; every cell counted as often as there are prompts; every sum finite; every
    /// sketch there, those of a half too if they are kept, finite and of all prompts; sound layer responses and storage errors of every
    /// probed prompt. A corpus of which only a part was counted is no problem here; see ``isComplete``.
    public func coverageProblems() -> [String] {
        guard promptCount > 0 else { return ["expected at least one counted prompt, found none"] }
        var problems: [String] = []
        for cell in counts.indices where counts[cell] != promptCount {
            problems.append(
                "expected \(promptCount) prompts counted at \(layout.cellName(cell)), found \(counts[cell])")
            if problems.count == AttentionStatistics.mostProblems { return problems }
        }
        for statistic in Statistic.all where problems.count < AttentionStatistics.mostProblems {
            if let index = sums[statistic].firstIndex(where: { !$0.isFinite }) {
                problems.append(
                    "expected finite sums of \(statistic), found \(sums[statistic][index]) at "
                        + layout.valueName(statistic, index))
            }
        }
        problems +=
            sketches.problems(promptCount: promptCount)
            + (settings.keepsHalves ? evenSketches.problems(promptCount: evenPromptCount) : []) + responsesProblems()
            + storageProblems()
        return Array(problems.prefix(AttentionStatistics.mostProblems))
    }

    /// What is wrong with the layer responses.
    func responsesProblems() -> [String] {
        let expected = Self.probedCount(journal.map(\.corpusIndex), settings)
        guard responses.count == expected else {
            return ["expected layer responses of \(expected) prompts, found those of \(responses.count)"]
        }
        return responses.flatMap { $0.problems(layout) }
    }
}
