import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels
import VernierCore

/// Fits coefficients and biases of a pooling plan to what attention did on calibration prompts (`method.md` section 4).
///
/// Groups stay. Boundary after boundary, each head's numbers are fitted on three quarters of the prompts, with slots as
/// the runtime will hold them; they are kept where the error on the other prompts falls, else the plan's own stay.
/// Heads are independent of each other: queries, keys and values are those of full-cache runs.
public final class PlanRefiner {
    /// How much the fit took back.
    public struct Report: Sendable {
        /// Mean squared error at the residual stream on the held-out part of the prompts, summed over heads and scales,
        /// with the plan's own numbers and with the fitted ones.
        public let errorBefore: Double
        public let errorAfter: Double
        /// Boundary maps fitted, and those where held-out prompts confirmed the fit.
        public let fittedMaps: Int
        public let confirmedMaps: Int
    }

    private let model: ImageModel
    private let request: RefinementRequest
    /// What was recorded of all layers, if they fit at once: one recording then serves every profile.
    private var recording: [[RecordedHead]]?

    /// Prepares a refinement. Throws ``VernierError/Code/emptyInput`` for fewer than 2 prompts, and
    /// ``VernierError/Code/invalidArgument`` for prompts that the model cannot draw.
    public init(model: ImageModel, request: RefinementRequest) throws {
        guard min(request.promptCount, request.corpus.prompts.count) >= 2, request.batchSize > 0 else {
            throw VernierError(
                .emptyInput, at: "refinement", expected: "at least 2 prompts, some to fit and some to confirm",
                found: "\(min(request.promptCount, request.corpus.prompts.count))")
        }
        try model.requireKnown(request.corpus.prompts.prefix(request.promptCount))
        self.model = model
        self.request = request
    }

    private var promptCount: Int { min(request.promptCount, request.corpus.prompts.count) }

    /// The profile with fitted numbers, and how much they took back.
    ///
    /// `progress` counts heads. Throws ``VernierError/Code/mismatch`` for a profile of another model or without a pooling
    /// plan.
    public func refine(
        _ profile: Profile, name: String = "profile", progress: ProgressHandler? = nil
    ) throws -> (Profile, Report) {
        try profile.requireFit(model: model.identity, schedule: model.schedule, name: name)
        guard let plan = profile.plan, profile.selection.name == "pooling-plan" else {
            throw VernierError(
                .mismatch, at: name, expected: "a profile with a pooling plan", found: profile.selection.name,
                remedy: "Compile with --selection pooling-plan.")
        }
        let shape = model.network.stack
        let bytesPerLayer = 3 * 4 * shape.width * model.schedule.totalTokens * promptCount * model.identity.branches
        let step = max(1, min(shape.depth, request.recordingBytes / max(bytesPerLayer, 1)))
        let cells = plan.branchCount * shape.depth * shape.heads
        var fits = [HeadFit.Result?](repeating: nil, count: cells)
        let clock = ContinuousClock(), start = clock.now
        var done = 0
        for first in stride(from: 0, to: shape.depth, by: step) {
            let layers = first..<min(first + step, shape.depth)
            let recorded = try recording ?? record(layers)
            if layers.count == shape.depth { recording = recorded }
            for layer in layers {
                let jobs = (0..<plan.branchCount).flatMap { branch in (0..<shape.heads).map { (branch, $0) } }
                var results = [HeadFit.Result?](repeating: nil, count: jobs.count)
                results.withUnsafeMutableBufferPointer { results in
                    nonisolated(unsafe) let results = results
                    Parallel.forEach(parts: jobs.count) { job in
                        let (branch, head) = jobs[job]
                        let fit = HeadFit(
                            plan: plan, schedule: model.schedule, branch: branch, layer: layer, head: head)
                        let sequences = branchSequences(plan, branch).map { sequences in
                            sequences.map { recorded[$0][(layer - layers.lowerBound) * shape.heads + head] }
                        }
                        let held = max(promptCount / 4, 1)
                        results[job] = fit.run(
                            fitted: sequences.flatMap { $0.dropLast(held) },
                            confirming: sequences.flatMap { $0.suffix(held) })
                    }
                }
                for (job, result) in zip(jobs, results) {
                    fits[(job.0 * shape.depth + layer) * shape.heads + job.1] = result
                }
                done += jobs.count
                progress?(
                    ProgressReport(
                        done: done, total: cells, stage: "refining", elapsedSeconds: (clock.now - start) / .seconds(1)))
            }
        }
        return try assemble(profile, plan, fits.compactMap { $0 })
    }

    /// The recorded sequences of each branch that one table of maps serves: `[branch][prompt]`.
    private func branchSequences(_ plan: PoolingPlan, _ branch: Int) -> [[Int]] {
        let branches = plan.branchCount == 1 ? 0..<model.identity.branches : branch..<branch + 1
        return branches.map { branch in (0..<promptCount).map { branch * promptCount + $0 } }
    }

    /// Runs the prompts with the full cache: `[branch * prompts + prompt][(layer - first) * H + head]`.
    private func record(_ layers: Range<Int>) throws -> [[RecordedHead]] {
        let generator = try ImageGenerator(model: model)
        let recorder = AttentionRecorder(stack: model.network.stack, layers: layers)
        let branches = model.identity.branches
        let each = layers.count * model.network.stack.heads
        var result = [[RecordedHead]](repeating: [], count: branches * promptCount)
        for first in stride(from: 0, to: promptCount, by: request.batchSize) {
            let batch = request.corpus.prompts[first..<min(first + request.batchSize, promptCount)]
            recorder.begin(sequences: batch.count * branches)
            var hooks = GenerationHooks()
            hooks.attention = recorder
            let requests = try batch.map {
                try model.request(for: $0, seed: request.seed &+ UInt64($0.index))
            }
            _ = try generator.generateChoices(
                requests, settings: request.settings ?? model.defaultSettings, hooks: hooks)
            for branch in 0..<branches {
                for image in 0..<batch.count {
                    let sequence = branch * batch.count + image
                    result[branch * promptCount + first + image] = Array(
                        recorder.heads[(sequence * each)..<((sequence + 1) * each)])
                }
            }
        }
        return result
    }

    private func assemble(
        _ profile: Profile, _ plan: PoolingPlan, _ fits: [HeadFit.Result]
    ) throws -> (Profile, Report) {
        let shape = model.network.stack
        let maps = (0..<plan.branchCount).flatMap { branch in
            (0..<model.schedule.scaleCount).flatMap { scale in
                (0..<shape.depth * shape.heads).map { fits[branch * shape.depth * shape.heads + $0].maps[scale] }
            }
        }
        let refined = try PoolingPlan(
            schedule: profile.schedule, branchCount: plan.branchCount, layerCount: plan.layerCount,
            headCount: plan.headCount, maps: maps)
        let parameters = profile.selection.parameters
        let selection = SelectionRule.poolingPlan(
            massWeighted: parameters.bool("massWeighted") ?? true,
            sharedBranches: parameters.bool("sharedBranches") ?? true, drops: parameters.bool("drops") ?? false,
            keyWeight: parameters.number("keyWeight") ?? SelectionRule.standardKeyWeight, refinedPrompts: promptCount)
        let report = Report(
            errorBefore: fits.reduce(0) { $0 + $1.errorBefore }, errorAfter: fits.reduce(0) { $0 + $1.errorAfter },
            fittedMaps: fits.reduce(0) { $0 + $1.fittedMaps }, confirmedMaps: fits.reduce(0) { $0 + $1.confirmedMaps })
        return (try profile.replacing(plan: refined, selection: selection), report)
    }
}
