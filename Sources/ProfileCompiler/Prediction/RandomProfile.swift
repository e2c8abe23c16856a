import CalibrationStatistics
import ProfileFormat
import VernierCore

/// A pooling-plan profile whose budget is divided among layers at random: `rate-distortion` with every layer's weight
/// times `2^u`, u drawn from -`octaves` to `octaves`. Totals are exact; the same seed and draw give the same profile.
///
/// To try predictions on profiles that differ (`vernier rank`), not to ship. Throws
/// ``VernierError/Code/corruptState`` without sketches, ``VernierError/Code/invalidArgument`` for a budget in bytes and
/// ``VernierError/Code/infeasibleBudget`` for one that the plan cannot do with.
package func randomProfile(
    statistics: CalibrationStatistics, budget: BudgetRequest, octaves: Double, seed: UInt64, draw: Int,
    toolVersion: String
) throws -> Profile {
    try budget.validate()
    let identity = statistics.identity, schedule = statistics.schedule, selection = SelectionRule.poolingPlan()
    guard let slots = budget.slots(schedule: schedule, cells: identity.layers * identity.heads) else {
        throw VernierError(
            .invalidArgument, at: "random profile", expected: "a budget as a share or in tokens", found: "\(budget)")
    }
    guard let form = PlanForm(selection) else {
        throw VernierError(.invalidArgument, at: "random profile", expected: "a planned selection", found: "another")
    }
    var builder = try PlanBuilder.forSelection(selection, form: form, statistics: statistics)
    let measured = statistics.hasLayerSensitivity ? RateDistortionPolicy.weights(statistics) : []
    let generator = CounterGenerator(seed: seed)
    builder.layerWeights = (0..<identity.layers).map { layer in
        let bits = generator.bits(at: UInt64(draw * identity.layers + layer))
        let octave = octaves * (2 * (Double(bits >> 11) + 0.5) * 0x1p-53 - 1)
        // 2^octave: a power of two times 1 to 2, near enough to the exponential for a random weight.
        let whole = octave.rounded(.down)
        let factor = Float(sign: .plus, exponent: Int(whole), significand: Float(1 + octave - whole))
        return (0..<schedule.scaleCount).map { factor * (measured.isEmpty ? 1 : measured[layer][$0]) }
    }
    let plan = try builder.build(.total(slots: slots * builder.branchCount)).plan
    return try Profile(
        model: identity, schedule: schedule,
        policy: PolicyDescription(
            name: "random-weights", parameters: ["draw": .integer(Int64(draw)), "seed": .string("\(seed)")]),
        selection: selection, storage: .float32, requestedBudget: budget, capacities: plan.capacities, plan: plan,
        provenance: Provenance(
            toolVersion: toolVersion, statisticsDigest: statistics.contentDigest(),
            corpusDigest: statistics.corpus.digest, promptCount: statistics.promptCount,
            seed: statistics.settings.seed))
}
