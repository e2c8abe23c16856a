import VernierCore

/// One cache policy in a report: what it is, what it costs, and its records.
public struct EvaluationRow: Sendable {
    /// A short unique name, usually the profile file's.
    public let name: String
    /// The allocation policy, for example `scalekv`; `full` for the baseline.
    public let policy: String
    /// The selection rule, for example `pooling-plan`.
    public let selection: String
    /// The storage format of keys and values, for example `int8`.
    public let storage: String
    /// Cached tokens a cell at the last scale as a share of that scale's history (method, section 1), 0 to 1.
    public let keptShare: Double
    /// Bytes of the resident cache at its largest, computed from profile, model and batch before the first token.
    public let predictedResidentBytes: Int
    /// The same as the runtime measured it; nil if it was not measured.
    public let measuredResidentBytes: Int?
    /// One record a picture.
    public let records: [PictureRecord]
    /// Mean and interval of every metric that was measured, by ``EvaluationMetric/key``.
    public let estimates: [String: Estimate]
    /// Mean and interval of the forced-decoding divergence of each scale, nats a bit; empty without measurements.
    public let forcedDecodingKLNatsByScale: [Estimate]
    /// What the pictures show, attribute by attribute; nil without scores.
    public let sceneSummary: SceneScoreSummary?

    /// Makes a row and its estimates; `bootstrapSeed` decides the resampling.
    ///
    /// Throws ``VernierCore/VernierError/Code/nonFinite`` if a measurement is not finite.
    public init(
        name: String, policy: String, selection: String, storage: String, keptShare: Double,
        predictedResidentBytes: Int, measuredResidentBytes: Int?, records: [PictureRecord], bootstrapSeed: UInt64
    ) throws {
        self.name = name
        self.policy = policy
        self.selection = selection
        self.storage = storage
        self.keptShare = keptShare
        self.predictedResidentBytes = predictedResidentBytes
        self.measuredResidentBytes = measuredResidentBytes
        self.records = records
        var estimates: [String: Estimate] = [:]
        for metric in EvaluationMetric.all {
            let means = metric.promptMeans(records).map(\.mean)
            guard !means.isEmpty else { continue }
            do {
                estimates[metric.key] = try BootstrapInterval.ofMean(means, seed: bootstrapSeed)
            } catch let error as VernierError {
                throw VernierError(error.code, at: "\(name), \(metric.key)", problems: error.problems)
            }
        }
        self.estimates = estimates
        let scales = records.map(\.forcedDecodingKLNatsByScale.count).max() ?? 0
        forcedDecodingKLNatsByScale = try (0..<scales).map { scale in
            let metric = EvaluationMetric(
                key: "forcedDecodingKLNatsByScale", title: "KL", fractionDigits: 4, isLargerBetter: false
            ) { $0.forcedDecodingKLNatsByScale.indices.contains(scale) ? $0.forcedDecodingKLNatsByScale[scale] : nil }
            return try BootstrapInterval.ofMean(metric.promptMeans(records).map(\.mean), seed: bootstrapSeed)
        }
        sceneSummary = SceneScoreSummary(records.compactMap(\.sceneScore))
    }

    /// PSNR in dB of the mean square over all pictures; infinity if all are equal, nil if not measured.
    public var pooledPSNRDecibels: Double? {
        PeakSignalNoise.pooled(meanSquaredErrors: records.compactMap(\.meanSquaredError))
    }

    /// The mean over prompts of this row's metric less the other's, with its interval; nil if they share no prompt.
    ///
    /// Only prompts measured in both count.
    public func pairedDifference(
        _ metric: EvaluationMetric, from other: EvaluationRow, bootstrapSeed: UInt64
    ) throws -> Estimate? {
        let theirs = Dictionary(uniqueKeysWithValues: metric.promptMeans(other.records).map { ($0.prompt, $0.mean) })
        let differences = metric.promptMeans(records).compactMap { prompt, mean in
            theirs[prompt].map { mean - $0 }
        }
        return differences.isEmpty ? nil : try BootstrapInterval.ofMean(differences, seed: bootstrapSeed)
    }
}
