import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Compiles statistics and a budget to a profile: a pure function, the same inputs give the same bytes.
///
/// The budget becomes T slots per branch: `floor(tokens per cell * layers * heads)`, where a kept share counts
/// `H_{K-1}` tokens per cell; a budget in bytes becomes the largest T whose predicted resident bytes for one image (all
/// branches) stay within it. Scales with `H_k * layers * heads > T` hold exactly T slots per branch, earlier scales
/// their whole history. A planned selection gets its boundary maps, within the policy's capacities or, under
/// `rate-distortion`, together with them. Storage that is ``StorageDemand/chosen`` is decided with the slots.
///
/// Throws ``VernierError/Code/emptyInput`` without counted prompts, ``VernierError/Code/corruptState`` for statistics
/// with gaps or without what policy, selection or storage go by, ``VernierError/Code/invalidArgument`` for
/// an unknown policy, parameters out of range or storage that cannot be chosen, and
/// ``VernierError/Code/infeasibleBudget``, with the numbers, for a budget that no allocation of the policy meets.
public func compile(statistics: CalibrationStatistics, request: CompilationRequest) throws -> Profile {
    guard statistics.promptCount > 0 else {
        throw VernierError(
            .emptyInput, at: "statistics", expected: "at least one counted prompt", found: "none",
            remedy: "Run the calibration first.")
    }
    let gaps = statistics.coverageProblems()
    guard gaps.isEmpty else {
        throw VernierError(
            .corruptState, at: "statistics", problems: gaps, remedy: "Run the calibration again or to its end.")
    }
    try request.budget.validate()
    guard request.selection.parameters.integer("refinedPrompts") ?? 0 == 0 else {
        throw VernierError(
            .invalidArgument, at: "selection rule '\(request.selection.name)'", expected: "refinedPrompts left out",
            found: "a number", remedy: "It is set by refinement: vernier compile --refine N.")
    }
    let policy = try PolicyTable.policy(named: request.policy.name)
    let parameters = try PolicyParameter.complete(
        request.policy.parameters, policy.parameters, place: "policy '\(policy.name)'")
    let choice = try StorageSearch(
        statistics: statistics, policy: policy, parameters: parameters, request: request
    ).choice()
    let allocation = choice.allocation
    let (selection, plan) = try allocation.complete(request.selection, statistics: statistics)
    return try Profile(
        model: statistics.identity, schedule: statistics.schedule,
        policy: PolicyDescription(name: policy.name, parameters: allocation.parameters),
        selection: selection, storage: choice.storage, requestedBudget: request.budget,
        capacities: plan?.capacities ?? allocation.capacities, plan: plan, roles: allocation.roles,
        provenance: Provenance(
            toolVersion: request.toolVersion, statisticsDigest: statistics.contentDigest(),
            corpusDigest: statistics.corpus.digest, promptCount: statistics.promptCount,
            seed: statistics.settings.seed))
}
