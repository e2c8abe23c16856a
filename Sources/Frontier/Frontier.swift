import CalibrationStatistics
import Evaluation
import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileCompiler
import ProfileFormat
import Refinement
import VernierCore

/// Compiles every method at every budget in every storage format, measures what compiles, and says what does not.
///
/// The full cache draws each (prompt, seed) once; its pictures, choices and logits serve all candidates. Finished
/// candidates are stored in the result folder under the digest of everything that decides their numbers: a run that is
/// interrupted and started again goes on with the next candidate and leaves the same bytes as an uninterrupted one.
///
/// A method's variants are all measured in the first storage format, on all pictures or on the first ones; the one of
/// highest mean PSNR stands for the method at that budget, there and in the other formats, on all pictures.
public struct Frontier {
    private let model: ImageModel
    private let statistics: CalibrationStatistics
    private let request: FrontierRequest
    private let bench: EvaluationBench
    private let fitter: PlanFitter

    /// Checks a request; nothing is compiled or drawn yet.
    ///
    /// Throws ``VernierError/Code/emptyInput`` without methods, budgets, formats, prompts or seeds,
    /// ``VernierError/Code/invalidArgument`` if a method appears twice or the compared one is missing,
    /// ``VernierError/Code/mismatch`` for statistics of another model, and ``VernierError/Code/malformedFile`` for a
    /// scene that cannot be read.
    public init(model: ImageModel, statistics: CalibrationStatistics, request: FrontierRequest) throws {
        guard !request.methods.isEmpty, !request.budgets.isEmpty, !request.storages.isEmpty else {
            throw VernierError(
                .emptyInput, at: "frontier", expected: "at least one method, one budget and one storage format",
                found: "\(request.methods.count), \(request.budgets.count) and \(request.storages.count)")
        }
        var problems: [String] = [], names: Set<String> = []
        for method in request.methods where !names.insert(method.name).inserted {
            problems.append("the method '\(method.name)' appears twice")
        }
        for (word, values) in [
            ("budget", request.budgets.map(\.shortLabel)), ("storage format", request.storages.map(\.name)),
        ] where Set(values).count < values.count {
            problems.append("expected each \(word) once, found \(values.joined(separator: ", "))")
        }
        if let compared = request.comparedMethod, !names.contains(compared) {
            problems.append("expected a method '\(compared)' to compare with, found none")
        }
        if let prompts = request.divergencePrompts, prompts < 0 {
            problems.append("expected divergences of at least 0 prompts, found \(prompts)")
        }
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: "frontier", problems: problems) }
        problems =
            statistics.identity.differences(from: model.identity)
            + statistics.schedule.differences(from: model.schedule)
        guard problems.isEmpty else {
            throw VernierError(
                .mismatch, at: "statistics", problems: problems, remedy: "Calibrate the model that is to be measured.")
        }
        bench = try EvaluationBench(
            model: model, prompts: request.prompts, seeds: request.seeds,
            settings: request.settings ?? model.defaultSettings, vocabulary: request.vocabulary,
            batchSize: request.batchSize)
        fitter = try PlanFitter(model: model, request: request.refinement)
        self.model = model
        self.statistics = statistics
        self.request = request
    }

    /// What a run would do: the profiles that compile in the first storage format, and what does not compile.
    public func plan() -> (profiles: [(name: String, profile: Profile)], gaps: [FrontierGap]) {
        var gaps: [FrontierGap] = []
        let compiled = groups.flatMap { compile($0.tasks, fits: false, &gaps) }
        return (compiled.map { ($0.task.name, $0.profile) }, gaps)
    }

    /// Runs the frontier, keeping finished candidates in `folder`/candidates. `progress` counts runs of pictures over
    /// the whole work that is left.
    ///
    /// Candidates that the runtime refuses are listed, as those are that the compiler refuses. Throws
    /// ``VernierError/Code/fileAccess`` if results cannot be stored, ``VernierError/Code/malformedFile`` for a stored
    /// candidate that cannot be read, and what the full cache's own run throws.
    public func run(folder: String, progress handler: ProgressHandler? = nil) throws -> FrontierReport {
        let store = try MeasurementStore(folder: "\(folder)/candidates")
        let keys = try MeasurementKey(
            bench: bench, vocabularyDigest: request.vocabulary?.digest, divergencePrompts: request.divergencePrompts,
            toolVersion: request.toolVersion)
        var gaps: [FrontierGap] = []
        let compiled = groups.map { (group: $0, candidates: compile($0.tasks, &gaps)) }

        let units = try compiled.reduce(0) { sum, entry in
            guard !entry.candidates.isEmpty else { return sum }
            let jobs = variantJobs(entry.candidates.count)
            let missing = try entry.candidates.count {
                !store.has(keys.key(profileDigest: try $0.profile.digest(), jobs: jobs))
            }
            let whole = entry.group.laterStorages.count + (jobs == nil ? 0 : 1)
            return sum + missing * self.units(jobs) + whole * self.units(nil)
        }
        let progress = FrontierProgress(total: bench.jobs.count + units, handler: handler)
        let session = Session(
            store: store, keys: keys, progress: progress,
            shelf: ReferenceShelf(bench: bench, maximumLogitBytes: request.maximumLogitBytes))

        let baseline = try measureBaseline(session)
        var points: [FrontierPoint] = [], others: [FrontierPoint] = []
        for (group, candidates) in compiled {
            let jobs = variantJobs(candidates.count)
            let measured = try candidates.compactMap { candidate in
                try point(candidate, variantCount: candidates.count, jobs: jobs, session, &gaps)
            }
            // Ties go to the variant that stands first.
            guard
                let best = measured.indices.max(by: {
                    (measured[$0].point.psnr, $1) < (measured[$1].point.psnr, $0)
                })
            else { continue }
            let chosen = measured[best]
            if jobs == nil {
                points.append(chosen.point)
            } else if let whole = try wholePoint(
                chosen.candidate, variantCount: candidates.count, session, &gaps)
            {
                points.append(whole)
            }
            others += measured.indices.filter { $0 != best }.map { measured[$0].point }
            let tasks = group.laterStorages.map { chosen.candidate.task.stored(as: $0) }
            for candidate in compile(tasks, &gaps) {
                if let point = try wholePoint(candidate, variantCount: candidates.count, session, &gaps) {
                    points.append(point)
                }
            }
        }
        return try FrontierReport(
            request: request, model: model.identity, choice: model.network.choices.name,
            statisticsDigest: statistics.contentDigest(),
            calibrationPrompts: statistics.promptCount, settings: .object(settingsJSON),
            baseline: baseline, points: points, otherVariants: others, gaps: gaps)
    }

    // MARK: - Compiling

    /// The variants of a method at a budget in the first storage format, and the formats to come.
    private struct Group {
        let tasks: [FrontierTask]
        let laterStorages: [CellStorage]
    }

    private struct Candidate {
        let task: FrontierTask
        let profile: Profile
    }

    private var groups: [Group] {
        request.methods.flatMap { method -> [Group] in
            // The full cache in Float32 is the reference itself.
            let storages = request.storages.filter { method.fixedBudget == nil || $0 != .float32 }
            guard let first = storages.first else { return [] }
            let later = request.narrowMethods?.contains(method.name) ?? true ? Array(storages.dropFirst()) : []
            return (method.fixedBudget.map { [$0] } ?? request.budgets).map { budget in
                Group(
                    tasks: method.variants.map {
                        FrontierTask(method: method, variant: $0, budget: budget, storage: first)
                    }, laterStorages: later)
            }
        }
    }

    private func compile(
        _ tasks: [FrontierTask], fits: Bool = true, _ gaps: inout [FrontierGap]
    ) -> [Candidate] {
        tasks.compactMap { task in
            do {
                let profile = try task.compile(statistics, toolVersion: request.toolVersion)
                return Candidate(
                    task: task,
                    profile: task.variant.isRefined && fits ? try fitter.fit(profile, name: task.name) : profile)
            } catch {
                gaps.append(FrontierGap(task, Self.refusal(error, task)))
                return nil
            }
        }
    }

    private static func refusal(_ error: any Error, _ task: FrontierTask) -> VernierError {
        error as? VernierError ?? VernierError(.invalidArgument, at: task.name, problems: ["\(error)"])
    }

    // MARK: - Measuring

    /// What a run works with.
    private struct Session {
        let store: MeasurementStore
        let keys: MeasurementKey
        let progress: FrontierProgress
        let shelf: ReferenceShelf
    }

    /// The pictures on which `count` variants are compared; nil for all.
    private func variantJobs(_ count: Int) -> Int? {
        guard count > 1, let prompts = request.variantPrompts, prompts < request.prompts.count else { return nil }
        return max(prompts, 1) * request.seeds.count
    }

    /// The batches of the first `jobs` pictures; nil for all.
    private func batches(_ jobs: Int?) -> [Range<Int>] {
        guard let jobs else { return bench.batches }
        return bench.batches.filter { $0.lowerBound < jobs }.map { $0.clamped(to: 0..<jobs) }
    }

    /// The runs of pictures that a candidate takes on the first `jobs` pictures.
    private func units(_ jobs: Int?) -> Int {
        batches(jobs).reduce(0) {
            $0 + $1.count * (bench.measuresDivergence($1, request.divergencePrompts) ? 2 : 1)
        }
    }

    /// A candidate on all pictures that were counted as work to do.
    private func wholePoint(
        _ candidate: Candidate, variantCount: Int, _ session: Session, _ gaps: inout [FrontierGap]
    ) throws -> FrontierPoint? {
        if session.store.has(session.keys.key(profileDigest: try candidate.profile.digest())) {
            session.progress.skip(units(nil))
        }
        return try point(candidate, variantCount: variantCount, jobs: nil, session, &gaps)?.point
    }

    private func point(
        _ candidate: Candidate, variantCount: Int, jobs: Int?, _ session: Session, _ gaps: inout [FrontierGap]
    ) throws -> (candidate: Candidate, point: FrontierPoint)? {
        let key = session.keys.key(profileDigest: try candidate.profile.digest(), jobs: jobs)
        let measurement: Measurement
        if let stored = try session.store.read(key, records: jobs ?? bench.jobs.count) {
            measurement = stored
        } else {
            do {
                measurement = try measure(candidate, key: key, jobs: jobs, session)
            } catch let failure as CandidateFailure {
                gaps.append(FrontierGap(candidate.task, failure.error))
                return nil
            }
            try session.store.write(measurement)
        }
        return (
            candidate,
            try FrontierPoint(
                task: candidate.task, variantCount: variantCount, profile: candidate.profile, measurement: measurement,
                bootstrapSeed: request.bootstrapSeed)
        )
    }

    /// The candidate's own failure, as opposed to the reference's or the folder's.
    private struct CandidateFailure: Error {
        let error: VernierError
    }

    private func measure(
        _ candidate: Candidate, key: String, jobs: Int?, _ session: Session
    ) throws -> Measurement {
        func own<Value>(_ body: () throws -> Value) throws -> Value {
            do { return try body() } catch {
                throw CandidateFailure(error: Self.refusal(error, candidate.task))
            }
        }
        let generator = try own {
            try ImageGenerator(model: model, profile: candidate.profile, profileName: candidate.task.name)
        }
        var records: [PictureRecord] = []
        for batch in batches(jobs) {
            let reference = try self.reference(batch, session)
            let measured = try own {
                try bench.measure(generator, against: reference, divergencePrompts: request.divergencePrompts)
            }
            records += measured.map(\.record)
            let runs = bench.measuresDivergence(batch, request.divergencePrompts) ? 2 : 1
            session.progress.advance(batch.count * runs, candidate.task.name)
        }
        return Measurement(
            key: key, predictedResidentBytes: candidate.profile.residentPlan.residentBytes(),
            measuredResidentBytes: generator.report.map { $0.ledger.peakResidentBytes / $0.images }, records: records)
    }

    private func reference(_ batch: Range<Int>, _ session: Session) throws -> ReferenceBatch {
        let isNew = !session.shelf.has(batch)
        let reference = try session.shelf.reference(
            batch, needsLogits: bench.measuresDivergence(batch, request.divergencePrompts))
        if isNew { session.progress.advance(batch.count, Evaluator.baselineName) }
        return reference
    }

    /// The full cache's own row: what its pictures show.
    private func measureBaseline(_ session: Session) throws -> EvaluationRow {
        let key = session.keys.key(profileDigest: nil)
        var measurement = try session.store.read(key, records: bench.jobs.count)
        if measurement == nil {
            let records = try bench.batches.flatMap { try self.reference($0, session).records }
            let ledger = bench.baseline.report.map { ($0.ledger, $0.images) }
            let made = Measurement(
                key: key, predictedResidentBytes: ledger.map { $0.0.predictedResidentBytes / $0.1 } ?? 0,
                measuredResidentBytes: ledger.map { $0.0.peakResidentBytes / $0.1 }, records: records)
            try session.store.write(made)
            measurement = made
        }
        return try EvaluationRow(
            name: Evaluator.baselineName, policy: "full", selection: "all", storage: CellStorage.float32.name,
            keptShare: 1, predictedResidentBytes: measurement?.predictedResidentBytes ?? 0,
            measuredResidentBytes: measurement?.measuredResidentBytes, records: measurement?.records ?? [],
            bootstrapSeed: request.bootstrapSeed)
    }

    private var settingsJSON: JSONObject {
        var object = JSONObject()
        for (key, value) in bench.settingsJSON { object[key] = value }
        object["divergencePrompts"] = request.divergencePrompts.map { .integer(Int64($0)) } ?? .null
        object["variantPrompts"] = request.variantPrompts.map { .integer(Int64($0)) } ?? .null
        object["refinementPrompts"] = request.refinement.map { .integer(Int64($0.promptCount)) } ?? .null
        object["vocabularyDigest"] = request.vocabulary.map { .string($0.digest) } ?? .null
        object["corpusDigest"] = .string(request.corpusDigest)
        object["toolVersion"] = .string(request.toolVersion)
        return object
    }
}

extension FrontierPoint {
    /// The mean PSNR in dB, for comparisons.
    var psnr: Double { psnrDecibels?.mean ?? -.infinity }
}
