import CalibrationStatistics
import Evaluation
import Generation
import ModelFamilies
import ProfileCompiler
import ProfileFormat
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Whether predicted and measured distortion rank profiles alike: draws random profiles, predicts and measures each.
///
/// Two sets of profiles. One shares a budget and differs only in how it is divided among layers; that is the hard case,
/// and the one that a compiler faces. The other differs in budget too.
public struct RankTrial {
    private let model: ImageModel
    private let statistics: CalibrationStatistics
    private let request: RankRequest
    private let bench: EvaluationBench

    /// Checks a request; nothing is drawn yet.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for fewer than 4 profiles or shares beyond 0 to 1,
    /// ``VernierError/Code/emptyInput`` without prompts or seeds, ``VernierError/Code/corruptState`` for statistics
    /// without sketches and ``VernierError/Code/mismatch`` for those of another model.
    public init(model: ImageModel, statistics: CalibrationStatistics, request: RankRequest) throws {
        var problems: [String] = []
        if request.count < 4 { problems.append("expected at least 4 profiles, found \(request.count)") }
        for share in [request.share, request.shares.lowerBound, request.shares.upperBound]
        where !(share > 0 && share <= 1) { problems.append("expected a share above 0 and at most 1, found \(share)") }
        if !(0...16).contains(request.octaves) {
            problems.append("expected weights drawn 0 to 16 octaves apart, found \(request.octaves)")
        }
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: "ranking", problems: problems) }
        problems =
            statistics.identity.differences(from: model.identity)
            + statistics.schedule.differences(from: model.schedule)
        guard problems.isEmpty else {
            throw VernierError(
                .mismatch, at: "statistics", problems: problems, remedy: "Calibrate the model that is to be measured.")
        }
        bench = try EvaluationBench(
            model: model, prompts: request.prompts, seeds: request.pictureSeeds,
            settings: request.settings ?? model.defaultSettings, vocabulary: nil, batchSize: request.batchSize)
        self.model = model
        self.statistics = statistics
        self.request = request
    }

    /// Draws the profiles: those of one budget, then those of random budgets.
    func profiles() throws -> (equal: [Profile], mixed: [Profile]) {
        let generator = CounterGenerator(seed: ~request.seed)
        let low = log(request.shares.lowerBound), high = log(request.shares.upperBound)
        func profile(_ share: Double, draw: Int) throws -> Profile {
            try randomProfile(
                statistics: statistics, budget: .keptShare(share), octaves: request.octaves, seed: request.seed,
                draw: draw, toolVersion: request.toolVersion)
        }
        return (
            try (0..<request.count).map { try profile(request.share, draw: $0) },
            try (0..<request.count).map { item in
                let uniform = (Double(generator.bits(at: UInt64(item)) >> 11) + 0.5) * 0x1p-53
                return try profile(exp(low + uniform * (high - low)), draw: request.count + item)
            }
        )
    }

    /// Runs the ranking. `progress` counts runs of pictures.
    public func run(progress handler: ProgressHandler? = nil) throws -> RankReport {
        let drawn = try profiles()
        let progress = FrontierProgress(
            total: bench.jobs.count * (1 + 4 * request.count), handler: handler)
        let shelf = ReferenceShelf(bench: bench, maximumLogitBytes: 1 << 31)
        func entries(_ profiles: [Profile], _ set: String) throws -> [RankEntry] {
            try profiles.enumerated().map { index, profile in
                let name = "\(set)-\(index < 10 ? "0" : "")\(index)"
                return try entry(profile, name: name, shelf: shelf, progress: progress)
            }
        }
        return RankReport(
            model: model.identity, choice: model.network.choices.name, request: request,
            statisticsDigest: statistics.contentDigest(),
            calibrationPrompts: statistics.promptCount, settings: bench.settingsJSON,
            equal: try entries(drawn.equal, "equal"), mixed: try entries(drawn.mixed, "mixed"))
    }

    private func entry(
        _ profile: Profile, name: String, shelf: ReferenceShelf, progress: FrontierProgress
    ) throws -> RankEntry {
        let generator = try ImageGenerator(model: model, profile: profile, profileName: name)
        var records: [PictureRecord] = []
        for batch in bench.batches {
            let isNew = !shelf.has(batch)
            let reference = try shelf.reference(batch, needsLogits: true)
            if isNew { progress.advance(batch.count, Evaluator.baselineName) }
            records += try bench.measure(generator, against: reference).map(\.record)
            progress.advance(batch.count * 2, name)
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }
        let scales = model.schedule.grids.indices.map { scale in
            mean(records.map { $0.forcedDecodingKLNatsByScale[scale] })
        }
        return RankEntry(
            name: name, profile: profile, predicted: try predictedDistortion(of: profile, statistics: statistics),
            divergence: mean(EvaluationMetric.forcedDecodingKLNats.promptMeans(records).map(\.mean)),
            divergenceByScale: scales,
            psnrDecibels: mean(EvaluationMetric.psnrDecibels.promptMeans(records).map(\.mean)))
    }
}
