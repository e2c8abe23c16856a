import VernierCore

/// Where a profile comes from, so that it can be made again: a calibration, or a file of another project.
public struct Provenance: Sendable, Hashable {
    /// The version of Vernier that compiled or imported the profile.
    public let toolVersion: String
    /// SHA-256 of the statistics, 64 lower-case hexadecimal digits; nil if the profile was imported.
    public let statisticsDigest: String?
    /// SHA-256 of the prompts that were run, 64 lower-case hexadecimal digits; nil if the profile was imported.
    public let corpusDigest: String?
    /// The number of prompts behind the statistics; 0 if the profile was imported.
    public let promptCount: Int
    /// The seed of the calibration run; nil if the profile was imported.
    public let seed: UInt64?
    /// The file that the profile was imported from; nil if it was compiled from statistics.
    public let source: ImportedSource?

    /// The feature that an imported profile requires of its readers: to know that there may be no statistics.
    public static let importedRequirement = "imported-provenance"

    /// Makes the record of a calibration; it is checked when a profile is made of it.
    public init(toolVersion: String, statisticsDigest: String, corpusDigest: String, promptCount: Int, seed: UInt64) {
        self.toolVersion = toolVersion
        self.statisticsDigest = statisticsDigest
        self.corpusDigest = corpusDigest
        self.promptCount = promptCount
        self.seed = seed
        source = nil
    }

    /// Makes the record of an import; it is checked when a profile is made of it.
    public init(toolVersion: String, source: ImportedSource) {
        self.toolVersion = toolVersion
        statisticsDigest = nil
        corpusDigest = nil
        promptCount = 0
        seed = nil
        self.source = source
    }

    /// Everything that is out of range.
    var problems: [String] {
        var problems: [String] = []
        if toolVersion.isEmpty || toolVersion.utf8.count > FormatLimits.nameBytes {
            problems.append("provenance: expected a tool version of 1 to \(FormatLimits.nameBytes) bytes")
        }
        for (word, text) in [("statistics digest", statisticsDigest), ("corpus digest", corpusDigest)] {
            if let text, let problem = DigestText.problem("provenance: \(word)", text) { problems.append(problem) }
        }
        if promptCount < 0 { problems.append("provenance: expected no negative prompt count, found \(promptCount)") }
        return problems + (source?.problems ?? [])
    }

    /// The seed stands as decimal text: JSON readers elsewhere lose digits of large numbers.
    var jsonValue: JSONValue {
        guard let statisticsDigest, let corpusDigest, let seed else {
            return ["source": source?.jsonValue ?? .null, "toolVersion": .string(toolVersion)]
        }
        return [
            "corpusDigest": .string(corpusDigest), "promptCount": .integer(Int64(promptCount)),
            "seed": .string(String(seed)), "statisticsDigest": .string(statisticsDigest),
            "toolVersion": .string(toolVersion),
        ]
    }

    init(reading cursor: JSONCursor) throws {
        let toolVersion = try cursor.member("toolVersion").string()
        if let source = try cursor.optionalMember("source") {
            try cursor.requireOnly(keys: ["source", "toolVersion"])
            self.init(toolVersion: toolVersion, source: try ImportedSource(reading: source))
            return
        }
        try cursor.requireOnly(keys: ["corpusDigest", "promptCount", "seed", "statisticsDigest", "toolVersion"])
        let seedText = try cursor.member("seed").string()
        guard let seed = UInt64(seedText), String(seed) == seedText else {
            throw try cursor.member("seed").error(expected: "a whole number from 0 to \(UInt64.max) as a string")
        }
        self.init(
            toolVersion: toolVersion,
            statisticsDigest: try cursor.member("statisticsDigest").string(),
            corpusDigest: try cursor.member("corpusDigest").string(),
            promptCount: try cursor.member("promptCount").integer(in: 0...Int.max), seed: seed)
    }
}
