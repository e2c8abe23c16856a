import ProfileFormat
import VernierCore

/// What a calibration has measured so far: sums and counts in Float64 over the prompts of a corpus, and sketches.
///
/// Sums and counts, not means, so that merging two shards of a corpus is addition. Prompts are added in the order of
/// the corpus; a run that is saved, loaded and continued gives the same bits as an uninterrupted one, because the
/// same numbers are added in the same order and the file keeps every bit. Of all but the statistics per history
/// position one row per prompt is kept as well, for confidence intervals; the sums of those statistics always are
/// the sums of their rows in corpus order, bit for bit, however the rows came together.
public struct CalibrationStatistics: Sendable, Equatable {
    /// The model that was measured.
    public let identity: ModelIdentity
    /// The scales it ran.
    public let schedule: ScaleSchedule
    /// How it ran.
    public let settings: CalibrationSettings
    /// The corpus it runs over.
    public let corpus: CorpusReference
    /// Where each number lies.
    public let layout: StatisticsLayout
    /// The prompts counted so far, by ascending corpus index.
    public internal(set) var journal: [PromptJournalEntry]
    /// How many prompts each cell has counted, `[G, L, H, K]`.
    public internal(set) var counts: [Int]
    /// Sums over the counted prompts.
    public internal(set) var sums: AttentionStatistics
    /// Random projections, summed over the counted prompts; without values if ``StatisticsLayout/signCount`` is 0.
    public internal(set) var sketches: AttentionSketches
    /// Those of the prompts at even places of the corpus; without values unless the settings keep halves.
    public internal(set) var evenSketches: AttentionSketches
    /// What disturbing the layers did to the pictures of the probed prompts: those of the journal whose corpus index is
    /// below the settings' `sensitivityPrompts`, in its order.
    public internal(set) var responses: [LayerResponses]
    /// What narrower storage did to the attention of the same prompts; none if the settings have no `storageFormats`.
    public internal(set) var storageErrors: [StorageErrors]
    /// One row per prompt, in the order of ``journal``, of each of ``Statistic/withRows``.
    var rows: [[Double]]

    /// Statistics of no prompt yet.
    ///
    /// Throws what ``StatisticsLayout/init(identity:schedule:topCounts:)`` throws.
    public init(
        identity: ModelIdentity, schedule: ScaleSchedule, settings: CalibrationSettings, corpus: CorpusReference
    ) throws {
        self.identity = identity
        self.schedule = schedule
        self.settings = settings
        self.corpus = corpus
        layout = try StatisticsLayout(
            identity: identity, schedule: schedule, topCounts: settings.topCounts, signCount: settings.signCount)
        journal = []
        counts = Array(repeating: 0, count: layout.cellCount)
        sums = AttentionStatistics(layout: layout)
        sketches = AttentionSketches(layout: layout)
        evenSketches = settings.keepsHalves ? sketches : .none(layout)
        responses = []
        storageErrors = []
        rows = Statistic.withRows.map { _ in [] }
    }

    /// How many prompts have been counted.
    public var promptCount: Int { journal.count }

    /// Whether every prompt of the corpus has been counted.
    public var isComplete: Bool { promptCount == corpus.promptCount }

    /// Counts one prompt.
    ///
    /// - Parameters:
    ///   - prompt: What the prompt's full-cache run showed, in this ``layout``.
    ///   - corpusIndex: The prompt's place in the corpus, 0-based; beyond every prompt counted before.
    ///   - promptDigest: SHA-256 over the prompt.
    ///   - promptSketches: The prompt's sketches, needed if the layout has signs.
    ///   - responses: What disturbing the layers did, needed for the settings' first `sensitivityPrompts` prompts only.
    ///   - storageErrors: What narrower storage did, needed for the same prompts if the settings have `storageFormats`.
    ///
    /// Throws, and changes nothing, if the layout differs (``VernierError/Code/mismatch``), the index is outside the
    /// corpus or not beyond the last one (``VernierError/Code/invalidArgument``), a value is not finite
    /// (``VernierError/Code/nonFinite``), or the masses contradict each other (``VernierError/Code/corruptState``);
    /// see ``AttentionStatistics/problems()``.
    public mutating func add(
        _ prompt: PromptStatistics, corpusIndex: Int, promptDigest: String,
        sketches promptSketches: AttentionSketches? = nil, responses: LayerResponses? = nil,
        storageErrors: StorageErrors? = nil
    ) throws {
        let place = "prompt \(corpusIndex)"
        let added = promptSketches ?? .none(layout)
        guard added.layout == layout else { throw Self.otherLayout(place) }
        let problems = added.problems(promptCount: 1)
        guard problems.isEmpty else {
            let finite = Sketch.all.allSatisfy { added[$0].allSatisfy(\.isFinite) }
            throw VernierError(
                finite ? .mismatch : .nonFinite, at: place, problems: problems,
                remedy: "Add the finite sketches of this one prompt.")
        }
        try count(
            prompt, corpusIndex: corpusIndex, promptDigest: promptDigest, responses: responses,
            storageErrors: storageErrors)
        sketches.add(added)
        if settings.keepsHalves, corpusIndex.isMultiple(of: 2) { evenSketches.add(added) }
    }

    /// Counts one prompt whose sketches are added to the lent sums (``lendSketches()``); as
    /// ``add(_:corpusIndex:promptDigest:sketches:responses:storageErrors:)`` otherwise.
    package mutating func count(
        _ prompt: PromptStatistics, corpusIndex: Int, promptDigest: String, responses: LayerResponses? = nil,
        storageErrors: StorageErrors? = nil
    ) throws {
        let place = "prompt \(corpusIndex)"
        guard prompt.layout == layout else {
            throw Self.otherLayout(place)
        }
        let first = journal.last.map { $0.corpusIndex + 1 } ?? 0
        guard corpusIndex >= first, corpusIndex < corpus.promptCount else {
            throw VernierError(
                .invalidArgument, at: place, expected: "a corpus index from \(first) to \(corpus.promptCount - 1)",
                found: "\(corpusIndex)", remedy: "Add each prompt once, in the order of the corpus.")
        }
        let problems = prompt.problems()
        guard problems.isEmpty else {
            let finite = Statistic.all.allSatisfy { prompt[$0].allSatisfy(\.isFinite) }
            throw VernierError(
                finite ? .corruptState : .nonFinite, at: place, problems: problems,
                remedy: "The model or its weights produce broken attention; nothing of this prompt was counted.")
        }
        try check(responses, corpusIndex: corpusIndex, place: place)
        try check(storageErrors, corpusIndex: corpusIndex, place: place)
        for statistic in Statistic.all { Self.add(prompt[statistic], to: &sums[keyPath: statistic.values]) }
        for cell in counts.indices { counts[cell] += 1 }
        for (row, statistic) in Statistic.withRows.enumerated() { rows[row] += prompt[statistic] }
        journal.append(PromptJournalEntry(corpusIndex: corpusIndex, promptDigest: promptDigest))
        if let responses { self.responses.append(responses) }
        if let storageErrors { self.storageErrors.append(storageErrors) }
    }

    /// Checks that responses are there exactly for a probed prompt, and sound.
    private func check(_ responses: LayerResponses?, corpusIndex: Int, place: String) throws {
        guard (corpusIndex < settings.sensitivityPrompts) == (responses != nil) else {
            throw VernierError(
                .mismatch, at: place,
                expected: "layer responses of the first \(settings.sensitivityPrompts) prompts only",
                found: responses == nil ? "none" : "some")
        }
        let problems = responses?.problems(layout) ?? []
        guard problems.isEmpty else { throw VernierError(.nonFinite, at: place, problems: problems) }
    }

    /// Checks that storage errors are there exactly for a probed prompt, if they are measured at all, and sound.
    private func check(_ errors: StorageErrors?, corpusIndex: Int, place: String) throws {
        let isProbed = corpusIndex < settings.sensitivityPrompts && !settings.storageFormats.isEmpty
        guard isProbed == (errors != nil) else {
            throw VernierError(
                .mismatch, at: place,
                expected: "storage errors of \(settings.storageFormats.count) formats for the first "
                    + "\(settings.sensitivityPrompts) prompts only",
                found: errors == nil ? "none" : "some")
        }
        let problems = errors?.problems(layout, settings.storageFormats) ?? []
        guard problems.isEmpty else { throw VernierError(.nonFinite, at: place, problems: problems) }
    }

    private static func otherLayout(_ place: String) -> VernierError {
        VernierError(
            .mismatch, at: place, expected: "the layout of the calibration", found: "another",
            remedy: "Make the prompt's statistics with the layout of the statistics that they are added to.")
    }

    /// Adds element by element; both have the same length.
    static func add(_ values: some Collection<Double>, to sums: inout [Double]) {
        _ = sums.withUnsafeMutableBufferPointer { sums in
            values.withContiguousStorageIfAvailable { values in
                for index in 0..<min(sums.count, values.count) { sums[index] += values[index] }
            }
        }
    }
}
