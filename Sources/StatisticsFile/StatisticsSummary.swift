import CalibrationStatistics
import ProfileFormat

/// What a statistics file says about itself, without its numbers.
public struct StatisticsSummary: Sendable, Hashable {
    /// The model that was measured.
    public let identity: ModelIdentity
    /// The scales it ran.
    public let schedule: ScaleSchedule
    /// How it ran.
    public let settings: CalibrationSettings
    /// The corpus it runs over.
    public let corpus: CorpusReference
    /// How many of the corpus's prompts have been counted.
    public let promptCount: Int
    /// The file's size in bytes.
    public let fileBytes: Int
    /// SHA-256 over the file's bytes, as ``StatisticsFile/digest(_:)`` gives it.
    public let fileDigest: String

    /// Whether every prompt of the corpus has been counted.
    public var isComplete: Bool { promptCount == corpus.promptCount }
}
