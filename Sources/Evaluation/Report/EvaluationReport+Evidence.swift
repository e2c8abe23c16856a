import Generation
import ModelFamilies
import ProfileFormat
import TensorKernels
import VernierCore

extension EvaluationReport {
    /// What the row called `name` proves of its profile: every fidelity figure and the share of scenes that are right.
    /// Times are left out; they belong to a machine.
    ///
    /// - Parameters:
    ///   - profile: the profile that the row measured.
    ///   - corpus: the held-out prompts, of which the report's are the first.
    ///   - settings: the settings that drew.
    ///   - arithmetic: the precision that layers multiplied in.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` if there is no such row or it measured nothing.
    public func evidence(
        row name: String, profile: Profile, corpus: Corpus, settings: SamplingSettings,
        arithmetic: Arithmetic = .current, toolVersion: String
    ) throws -> Evidence {
        guard let row = rows.first(where: { $0.name == name }) else {
            throw VernierError(
                .invalidArgument, at: "evidence", expected: "a row of the report", found: JSONValue.quoted(name))
        }
        let figures = EvaluationMetric.all.filter { $0.key != EvaluationMetric.secondsPerImage.key }.compactMap {
            metric in
            row.estimates[metric.key].map {
                Evidence.Figure(
                    metric: metric.key, mean: $0.mean, low: $0.low, high: $0.high, promptCount: $0.count)
            }
        }
        return try Evidence(
            profileDigest: profile.contentDigest(), toolVersion: toolVersion, corpusDigest: corpus.digest,
            promptCount: prompts.count, seeds: seeds,
            sampling: EvidenceSampling(
                guidance: settings.guidance.map(Double.init), guidanceLayers: settings.placement.layers,
                temperature: settings.temperature.map(Double.init),
                topK: settings.topK, topP: Double(settings.topP), arithmetic: arithmetic), figures: figures)
    }
}
