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
            standard: "auto", domain: .choice(["auto", "off"]))
    ]

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let planned = PlanForm(problem.selection), form = planned ?? .positions(summary: false)
        var builder = try PlanBuilder.forSelection(problem.selection, form: form, statistics: problem.statistics)
        // A rule that scores gets one table for all branches, as from every other policy.
        if planned == nil { builder.sharesBranches = true }
        if parameters.text("sensitivity") != "off", problem.statistics.hasLayerSensitivity {
            builder.layerWeights = Self.weights(problem.statistics)
        }
        let result = try builder.build(.total(slots: problem.slotsPerBranch * builder.branchCount))
        return Allocation(
            capacities: result.plan.capacities, plan: planned == nil ? nil : result.plan,
            parameters: parameters)
    }

    /// Divergence in nats that a unit of mean squared error per query costs, `[layer][scale]`.
    ///
    /// A layer that moved nothing where others did counts a thousandth of the mean; scales without any count all alike.
    static func weights(_ statistics: CalibrationStatistics) -> [[Float]] {
        let schedule = statistics.schedule, layers = 0..<statistics.identity.layers
        let means = (0..<schedule.scaleCount).map { scale in
            layers.reduce(0) { $0 + statistics.layerSensitivity(layer: $1, scale: scale) } / Double(layers.count)
        }
        return layers.map { layer in
            (0..<schedule.scaleCount).map { scale in
                guard means[scale] > 0 else { return 1 }
                let own = max(statistics.layerSensitivity(layer: layer, scale: scale), 1e-3 * means[scale])
                return Float(own * Double(schedule.tokenCount(scale)))
            }
        }
    }
}
