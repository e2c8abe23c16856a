import ProfileFormat
import VernierCore

extension CalibrationStatistics {
    /// Statistics from saved parts, all of which are checked.
    ///
    /// - Parameters:
    ///   - sums: The values of each of ``Statistic/all``.
    ///   - rows: All rows of each of ``Statistic/withRows``.
    ///   - sketches: The sums of each of ``Sketch/all``; none if the settings have no signs.
    ///   - evenSketches: The same of the prompts at even places; none unless the settings keep halves.
    ///   - responses: Those of the probed prompts.
    ///   - storageErrors: Those of the probed prompts; none if the settings have no storage formats.
    ///
    /// Throws ``VernierError/Code/corruptState`` with all problems: array lengths, the order of the journal, counts,
    /// sums and sketches that are not finite, sums that differ from the sums of their rows, and layer
    /// responses or storage errors that are missing or impossible.
    package init(
        identity: ModelIdentity, schedule: ScaleSchedule, settings: CalibrationSettings, corpus: CorpusReference,
        journal: [PromptJournalEntry], counts: [Int], sums: [[Double]], rows: [[Double]],
        sketches: [[Float]] = [], evenSketches: [[Float]] = [], responses: [LayerResponses] = [],
        storageErrors: [StorageErrors] = []
    ) throws {
        let layout = try StatisticsLayout(
            identity: identity, schedule: schedule, topCounts: settings.topCounts, signCount: settings.signCount)
        var problems: [String] = []
        if counts.count != layout.cellCount {
            problems.append("expected \(layout.cellCount) counts, found \(counts.count)")
        }
        for (name, statistics, values, factor) in [
            ("sums", Statistic.all, sums, 1), ("rows", Statistic.withRows, rows, journal.count),
        ] {
            let expected = statistics.map { layout.valueCount(of: $0) * factor }
            if values.map(\.count) != expected {
                problems.append("expected \(name) of \(expected) values, found \(values.map(\.count))")
            }
        }
        for (name, isKept, values) in [
            ("sketches", settings.signCount > 0, sketches), ("sketches of a half", settings.keepsHalves, evenSketches),
        ] {
            let expected = isKept ? Sketch.all.map { layout.valueCount(of: $0) } : []
            if values.map(\.count) != expected {
                problems.append("expected \(name) of \(expected) values, found \(values.map(\.count))")
            }
        }
        guard problems.isEmpty else {
            throw VernierError(.corruptState, at: "saved statistics", problems: problems)
        }
        self.identity = identity
        self.schedule = schedule
        self.settings = settings
        self.corpus = corpus
        self.layout = layout
        self.journal = journal
        self.counts = counts
        self.sums = AttentionStatistics(layout: layout, values: sums)
        self.rows = rows
        self.responses = responses
        self.storageErrors = storageErrors
        self.sketches = AttentionSketches(
            layout: layout, promptCount: settings.signCount > 0 ? journal.count : 0, values: sketches)
        self.evenSketches = .none(layout)
        if settings.keepsHalves {
            self.evenSketches = AttentionSketches(layout: layout, promptCount: evenPromptCount, values: evenSketches)
        }
        problems = restoringProblems()
        guard problems.isEmpty else {
            throw VernierError(
                .corruptState, at: "saved statistics", problems: problems,
                remedy: "The file was changed after it was written; run the calibration again.")
        }
    }

    /// What contradicts itself in saved statistics.
    private func restoringProblems() -> [String] {
        var problems: [String] = []
        let indices = journal.map(\.corpusIndex)
        if let first = indices.first, let last = indices.last,
            first < 0 || last >= corpus.promptCount || zip(indices, indices.dropFirst()).contains(where: { $0 >= $1 })
        {
            problems.append(
                "expected a journal of ascending corpus indices from 0 to \(corpus.promptCount - 1), found another")
        }
        if promptCount > 0 {
            problems += coverageProblems()
        } else if counts.contains(where: { $0 != 0 })
            || Statistic.all.contains(where: { sums[$0].contains { $0 != 0 } })
            || Sketch.all.contains(where: { sketches[$0].contains { $0 != 0 } })
            || Sketch.all.contains(where: { evenSketches[$0].contains { $0 != 0 } })
        {
            problems.append("expected zeros before the first prompt, found counts, sums or sketches")
        }
        for (index, statistic) in Statistic.withRows.enumerated() {
            if sums[statistic] != Self.sum(rows[index], width: layout.valueCount(of: statistic)) {
                problems.append("expected sums of \(statistic) that are the sums of its rows, found others")
            }
        }
        return problems
    }
}
