import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Ours, and the default: slots go where giving them up costs most, by measured error at the residual stream
/// (`method.md` sections 3 and 4).
///
/// For a planned selection the sequence of merge (or drop) costs of all cells is the allocation: at each boundary the
/// cheapest steps are taken until the total holds. For a rule that scores at run time the capacities are those of a
/// position plan.
struct RateDistortionPolicy: AllocationPolicy {
    static let name = "rate-distortion"
    var name: String { Self.name }
    let summary = "Slots go where giving them up would cost most, by measured error at the residual stream."
    let parameters = [
        PolicyParameter(
            name: "sensitivity",
            meaning:
                "Whether errors count by the measured sensitivity of layer and scale: auto (if it was measured) or off.",
            standard: "auto", domain: .choice(["auto", "off"])),
        PolicyParameter(
            name: RateDistortionPolicy.storage,
            meaning: "auto: the storage format is chosen with the slots, by measured error, whatever format is named.",
            standard: nil, domain: .choice([RateDistortionPolicy.chosen])),
    ]
    /// The parameter that says that the storage format was chosen, and its value.
    static let storage = "storage"
    static let chosen = "auto"

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let planned = PlanForm(problem.selection), form = planned ?? .positions(summary: false)
        var builder = try PlanBuilder.forSelection(problem.selection, form: form, statistics: problem.statistics)
        // A rule that scores gets one table for all branches, as from every other policy.
        if planned == nil { builder.sharesBranches = true }
        builder.layerWeights = Self.layerWeights(problem.statistics, parameters: parameters)
        let result = try builder.build(.total(slots: problem.slotsPerBranch * builder.branchCount))
        return Allocation(
            capacities: result.plan.capacities, plan: planned == nil ? nil : result.plan,
            parameters: parameters, cost: result.costByScale.reduce(0, +))
    }

    /// How much an error counts, `[layer][scale]`; empty: all alike, because nothing was measured or it is off.
    static func layerWeights(_ statistics: CalibrationStatistics, parameters: Parameters) -> [[Float]] {
        parameters.text("sensitivity") == "off" || !statistics.hasLayerSensitivity ? [] : weights(statistics)
    }

    /// Divergence in nats that a unit of mean squared error per query costs, `[layer][scale]`; scales where most layers
    /// moved nothing count all layers alike.
    static func weights(_ statistics: CalibrationStatistics) -> [[Float]] {
        let schedule = statistics.schedule, layers = 0..<statistics.identity.layers
        let byScale = (0..<schedule.scaleCount).map { scale in
            let weights = LayerWeights.ofScale(
                layers.map { statistics.layerSensitivity(layer: $0, scale: scale) })
            return weights.contains { $0 > 0 }
                ? weights.map { Float($0 * Double(schedule.tokenCount(scale))) }
                : Array(repeating: 1, count: layers.count)
        }
        return layers.map { layer in byScale.map { $0[layer] } }
    }
}
