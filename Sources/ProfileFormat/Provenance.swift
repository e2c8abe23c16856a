import VernierCore

/// Where a profile comes from, so that it can be made again.
public struct Provenance: Sendable, Hashable {
    /// The version of Vernier that compiled the profile.
    public let toolVersion: String
    /// SHA-256 of the statistics, 64 lower-case hexadecimal digits.
    public let statisticsDigest: String
    /// SHA-256 of the prompts that were run, 64 lower-case hexadecimal digits.
    public let corpusDigest: String
    /// The number of prompts behind the statistics.
    public let promptCount: Int
    /// The seed of the calibration run.
    public let seed: UInt64

    /// Makes a record; it is checked when a profile is made of it.
    public init(toolVersion: String, statisticsDigest: String, corpusDigest: String, promptCount: Int, seed: UInt64) {
        self.toolVersion = toolVersion
        self.statisticsDigest = statisticsDigest
        self.corpusDigest = corpusDigest
        self.promptCount = promptCount
        self.seed = seed
    }

    /// Everything that is out of range.
    var problems: [String] {
        var problems: [String] = []
        if toolVersion.isEmpty || toolVersion.utf8.count > FormatLimits.nameBytes {
            problems.append("provenance: expected a tool version of 1 to \(FormatLimits.nameBytes) bytes")
        }
        for (word, text) in [("statistics digest", statisticsDigest), ("corpus digest", corpusDigest)] {
            if let problem = DigestText.problem("provenance: \(word)", text) { problems.append(problem) }
        }
        if promptCount < 0 { problems.append("provenance: expected no negative prompt count, found \(promptCount)") }
        return problems
    }

    /// The seed stands as decimal text: JSON readers elsewhere lose digits of large numbers.
    var jsonValue: JSONValue {
        [
            "corpusDigest": .string(corpusDigest), "promptCount": .integer(Int64(promptCount)),
            "seed": .string(String(seed)), "statisticsDigest": .string(statisticsDigest),
            "toolVersion": .string(toolVersion),
        ]
    }

    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["corpusDigest", "promptCount", "seed", "statisticsDigest", "toolVersion"])
        let seedText = try cursor.member("seed").string()
        guard let seed = UInt64(seedText), String(seed) == seedText else {
            throw try cursor.member("seed").error(expected: "a whole number from 0 to \(UInt64.max) as a string")
        }
        self.init(
            toolVersion: try cursor.member("toolVersion").string(),
            statisticsDigest: try cursor.member("statisticsDigest").string(),
            corpusDigest: try cursor.member("corpusDigest").string(),
            promptCount: try cursor.member("promptCount").integer(in: 0...Int.max), seed: seed)
    }
}
