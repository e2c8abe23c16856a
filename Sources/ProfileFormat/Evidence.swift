import VernierCore

/// What a profile was seen to do on held-out prompts: figures against the full cache, and everything needed to get them
/// again. Written into the profile's file by `vernier eval --attach`; the runtime does not look at it.
///
/// Evidence speaks of one profile only: it holds that profile's ``Profile/contentDigest()``, and a profile with evidence
/// of another is refused.
public struct Evidence: Sendable, Hashable {
    /// A mean over prompts with its 95 % interval.
    public struct Figure: Sendable, Hashable {
        /// The metric's key as in an evaluation's `report.json`, unit included, for example `psnrDecibels`.
        public let metric: String
        /// The mean.
        public let mean: Double
        /// The interval's lower end.
        public let low: Double
        /// The interval's upper end.
        public let high: Double
        /// The prompts that it was measured on.
        public let promptCount: Int

        /// Makes a figure; it is checked with its evidence.
        public init(metric: String, mean: Double, low: Double, high: Double, promptCount: Int) {
            self.metric = metric
            self.mean = mean
            self.low = low
            self.high = high
            self.promptCount = promptCount
        }
    }

    /// The ``Profile/contentDigest()`` of the profile that was measured.
    public let profileDigest: String
    /// The version of Vernier that measured.
    public let toolVersion: String
    /// SHA-256 of the held-out prompts' file, 64 lower-case hexadecimal digits.
    public let corpusDigest: String
    /// The first so many prompts of that file were drawn.
    public let promptCount: Int
    /// One picture a prompt and seed.
    public let seeds: [UInt64]
    /// How the full cache and the profile drew.
    public let sampling: EvidenceSampling
    /// The figures, by metric in the order of its UTF-8 bytes; each metric once.
    public let figures: [Figure]

    /// Gathers evidence; figures may come in any order.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` with everything that is out of range.
    public init(
        profileDigest: String, toolVersion: String, corpusDigest: String, promptCount: Int, seeds: [UInt64],
        sampling: EvidenceSampling, figures: [Figure]
    ) throws {
        self.profileDigest = profileDigest
        self.toolVersion = toolVersion
        self.corpusDigest = corpusDigest
        self.promptCount = promptCount
        self.seeds = seeds
        self.sampling = sampling
        self.figures = figures.sorted { $0.metric.utf8.lexicographicallyPrecedes($1.metric.utf8) }
        let problems = self.problems
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: "evidence", problems: problems) }
    }

    /// The figure of a metric; nil if it was not measured.
    public func figure(_ metric: String) -> Figure? { figures.first { $0.metric == metric } }

    private var problems: [String] {
        var problems: [String] = []
        func requireName(_ word: String, _ text: String) {
            guard !text.isEmpty, text.utf8.count <= FormatLimits.nameBytes else {
                problems.append(
                    "evidence: expected a \(word) of 1 to \(FormatLimits.nameBytes) bytes, found \(text.utf8.count)")
                return
            }
        }
        for (word, text) in [("profile digest", profileDigest), ("corpus digest", corpusDigest)] {
            if let problem = DigestText.problem("evidence: \(word)", text) { problems.append(problem) }
        }
        requireName("tool version", toolVersion)
        if promptCount < 1 { problems.append("evidence: expected at least 1 prompt, found \(promptCount)") }
        if !(1...FormatLimits.evidenceSeeds).contains(seeds.count) || Set(seeds).count < seeds.count {
            problems.append(
                "evidence: expected 1 to \(FormatLimits.evidenceSeeds) different seeds, found \(seeds.count)")
        }
        problems += sampling.problems
        if !(1...FormatLimits.figures).contains(figures.count) {
            problems.append("evidence: expected 1 to \(FormatLimits.figures) figures, found \(figures.count)")
        }
        for (figure, next) in zip(figures, figures.dropFirst()) where figure.metric == next.metric {
            problems.append("evidence: expected each metric once, found \(JSONValue.quoted(figure.metric)) twice")
        }
        for figure in figures {
            requireName("metric", figure.metric)
            let numbers = [figure.low, figure.mean, figure.high]
            if !numbers.allSatisfy(\.isFinite) || figure.low > figure.high {
                problems.append(
                    "evidence: \(JSONValue.quoted(figure.metric)): expected finite numbers and an interval in order, "
                        + "found \(figure.mean) (\(figure.low) to \(figure.high))")
            }
            if !(1...max(promptCount, 1)).contains(figure.promptCount) {
                problems.append(
                    "evidence: \(JSONValue.quoted(figure.metric)): expected 1 to \(promptCount) prompts, "
                        + "found \(figure.promptCount)")
            }
        }
        return problems
    }
}

extension Evidence {
    /// Seeds stand as decimal text: JSON readers elsewhere lose digits of large numbers.
    var jsonValue: JSONValue {
        [
            "corpusDigest": .string(corpusDigest),
            "figures": .array(
                figures.map { figure in
                    [
                        "metric": .string(figure.metric), "mean": .number(figure.mean), "low": .number(figure.low),
                        "high": .number(figure.high), "promptCount": .integer(Int64(figure.promptCount)),
                    ]
                }),
            "profileDigest": .string(profileDigest), "promptCount": .integer(Int64(promptCount)),
            "sampling": sampling.jsonValue, "seeds": .array(seeds.map { .string(String($0)) }),
            "toolVersion": .string(toolVersion),
        ]
    }

    /// Reads what ``jsonValue`` writes. Throws ``VernierError/Code/malformedFile`` at the member's place.
    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: [
            "corpusDigest", "figures", "profileDigest", "promptCount", "sampling", "seeds", "toolVersion",
        ])
        let seeds = try cursor.member("seeds").elements().map { element in
            let text = try element.string()
            guard let seed = UInt64(text), String(seed) == text else {
                throw element.error(expected: "a whole number from 0 to \(UInt64.max) as a string")
            }
            return seed
        }
        let figures = try cursor.member("figures").elements().map { element in
            try element.requireOnly(keys: ["high", "low", "mean", "metric", "promptCount"])
            return Figure(
                metric: try element.member("metric").string(), mean: try element.member("mean").number(),
                low: try element.member("low").number(), high: try element.member("high").number(),
                promptCount: try element.member("promptCount").integer())
        }
        do {
            try self.init(
                profileDigest: cursor.member("profileDigest").string(),
                toolVersion: cursor.member("toolVersion").string(),
                corpusDigest: cursor.member("corpusDigest").string(),
                promptCount: cursor.member("promptCount").integer(), seeds: seeds,
                sampling: EvidenceSampling(reading: cursor.member("sampling")), figures: figures)
        } catch let error as VernierError where error.code == .invalidArgument {
            throw VernierError(.malformedFile, at: cursor.place, problems: error.problems)
        }
        guard self.figures == figures else {
            throw try cursor.member("figures").error(expected: "figures in the order of their metrics", found: "others")
        }
    }
}
