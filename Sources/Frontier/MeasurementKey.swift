import Evaluation
import Generation
import ModelFamilies
import ProfileFormat
import TensorKernels
import VernierCore

/// Names measurements: two candidates share a key only if the same numbers come out of them.
///
/// A key is the SHA-256 over the model's identity and schedule, prompts with their scenes, seeds, sampling settings, the
/// scene vocabulary, how many prompts are measured twice, the tool's version, and the profile. The batch size is not
/// part of it: it does not change the numbers.
struct MeasurementKey: Sendable {
    private let fields: [String]

    init(bench: EvaluationBench, vocabularyDigest: String?, divergencePrompts: Int?, toolVersion: String) throws {
        let identity = bench.model.identity
        let settings = bench.settings
        var fields = [
            Measurement.format, "\(Measurement.version)", toolVersion, identity.family, identity.shapeDigest,
            identity.weightsDigest ?? "", "\(settings.guidance)", "\(settings.temperature)", "\(settings.topP)",
            "\(settings.topK)", "\(bench.seeds)", vocabularyDigest ?? "none",
            "\(min(divergencePrompts ?? bench.prompts.count, bench.prompts.count))",
        ]
        // What is as it always was is left out: keys of older runs stay.
        if let schedule = InfinitySchedule(of: bench.model.schedule) { fields.append("\(schedule)") }
        if Arithmetic.current != .float32 { fields.append(Arithmetic.current.rawValue) }
        if settings.placement != .logits { fields.append("\(settings.placement.layers)") }
        for prompt in bench.prompts { fields += [prompt.digest, try prompt.scene?.canonicalLine() ?? ""] }
        self.fields = fields
    }

    /// The key of a profile on the first `jobs` pictures, nil for all; a nil profile stands for the full cache.
    func key(profileDigest: String?, jobs: Int? = nil) -> String {
        var digest = Digest()
        for field in fields { digest.update(field: field) }
        digest.update(field: profileDigest ?? "full cache")
        if let jobs { digest.update(field: "first \(jobs) pictures") }
        return digest.finalise()
    }
}
