import Evaluation
import ProfileCompiler
import ProfileFormat
import VernierCore

/// How well predicted distortion ranks profiles.
public struct RankReport: Sendable {
    /// The model.
    public let model: ModelIdentity
    /// What the model chooses, `bit` or `token`.
    let choice: String
    /// What was asked for.
    public let request: RankRequest
    /// SHA-256 of the statistics.
    public let statisticsDigest: String
    /// The prompts behind the statistics.
    public let calibrationPrompts: Int
    /// What decides the pictures.
    let settings: [(key: String, value: JSONValue)]
    /// The profiles of one budget.
    public let equal: [RankEntry]
    /// The profiles of random budgets.
    public let mixed: [RankEntry]

    /// How predictions order some profiles, compared with the measured divergence and with the measured loss of PSNR;
    /// nil where a measure is the same for all.
    public struct Agreement: Sendable, Hashable {
        /// With the forced-decoding divergence.
        public let divergence: RankCorrelation?
        /// With minus PSNR.
        public let psnr: RankCorrelation?
    }

    /// The agreement over some entries. Throws ``VernierError/Code/nonFinite`` if a number is not finite.
    public func agreement(_ entries: [RankEntry]) throws -> Agreement {
        let predicted = entries.map(\.predicted.total)
        return Agreement(
            divergence: try RankCorrelation(predicted, entries.map(\.divergence)),
            psnr: try RankCorrelation(predicted, entries.map { -$0.psnrDecibels }))
    }

    /// How the two measures order some profiles compared with each other: what a prediction can hope for.
    public func measuredAgreement(_ entries: [RankEntry]) throws -> RankCorrelation? {
        try RankCorrelation(entries.map(\.divergence), entries.map { -$0.psnrDecibels })
    }

    /// How predictions for one scale order some profiles, compared with the divergence measured there.
    func divergenceAgreement(_ entries: [RankEntry], scale: Int) throws -> RankCorrelation? {
        try RankCorrelation(entries.map { $0.predicted.byScale[scale] }, entries.map { $0.divergenceByScale[scale] })
    }
}
