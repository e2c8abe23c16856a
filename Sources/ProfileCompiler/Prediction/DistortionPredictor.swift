import CalibrationStatistics
import ProfileFormat
import TensorKernels
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Predicts from the statistics alone what the plan of a profile costs, by scale and layer.
///
/// For every cell and target scale, with s_p, v_p, k_p the sketches of attention, value and key of history position p,
/// vbar and kbar the means that a slot's coefficients give (those of the boundaries multiplied), and v* the mean value
/// of the history, weighted by attention mass:
///
///     e = sum over slots of norm2(sum_p s_p (x) (v_p - vbar))^2                    values, jointly within the slot
///       + sum over slots of norm2(sum_p s_p)^2 (1 - exp(-d/2))^2 norm2(vbar - v*)^2 / 4                      keys
///       + sum over positions that were dropped of norm2(s_p)^2 norm2(v_p - v*)^2
///
/// d is the mass-weighted mean of `norm2(k_p - kbar)^2`. That is a squared error at the residual stream, mean over
/// queries, summed over the heads and branches of a layer. Where layers' sensitivities were measured, a layer costs
///
///     n_k log(1 + w e) nats,  w = sqrt(own sensitivity * median sensitivity of the scale's layers)
///
/// at scale k, else e.
///
/// Assumptions, and what was seen on Tangram (24 random plans of 10 %, 24 of 3 to 30 %, 16 held-out prompts; constants
/// were chosen on these very plans). Spearman's rank correlation with the forced-decoding divergence is 0.91 at one
/// budget and 0.99 over budgets; the nats are 1.4 times those measured, give or take a tenth:
/// - Attention and values are independent of each other over prompts; slots, heads and layers err independently. Sums
///   across slots and heads of a layer were tried and rank worse (0.80 against 0.86).
/// - A slot's attention is wrong by at most all of it and then moves the output from v* to vbar, since the softmax
///   shares out what is missing. The unbounded term that steers the merging, `min(d, d^2)` times the mean square of
///   values, outweighs everything else where keys differ much; with it the rank correlation at one budget is 0.46.
/// - Divergence grows as the error's logarithm from about one nat a token on.
/// - A layer's sensitivity counts by half of its distance, in logarithms, from the median; see `LayerWeights`.
///
/// Coefficients that were fitted count as they are; fitted biases do not count, nor does the storage format. Throws
/// ``VernierError/Code/invalidArgument`` for a profile without a plan, ``VernierError/Code/mismatch`` for statistics of
/// another model and ``VernierError/Code/corruptState`` for statistics without sketches.
///
/// - Complexity: O(sum over cells of H_k R^2), in parallel over heads.
public func predictedDistortion(
    of profile: Profile, statistics: CalibrationStatistics
) throws -> PredictedDistortion {
    guard let plan = profile.plan else {
        throw VernierError(
            .invalidArgument, at: "predicted distortion", expected: "a profile with a plan",
            found: "the selection rule '\(profile.selection.name)'",
            remedy: "Rules that score at run time can only be measured.")
    }
    let problems =
        statistics.identity.differences(from: profile.model) + statistics.schedule.differences(from: profile.schedule)
    guard problems.isEmpty else {
        throw VernierError(
            .mismatch, at: "predicted distortion", problems: problems,
            remedy: "Take the statistics of the profile's model.")
    }
    guard statistics.hasSketches else {
        throw VernierError(
            .corruptState, at: "statistics", expected: "sketches of attention, keys and values", found: "none",
            remedy: "Calibrate with --signs 32.")
    }
    return DistortionPredictor(statistics: statistics, plan: plan).predict()
}

/// The parts of a prediction.
struct DistortionPredictor {
    /// How much it counts that a mean key attends differently from its members.
    static let keyWeight = 0.25

    let statistics: CalibrationStatistics
    let plan: PoolingPlan

    func predict() -> PredictedDistortion {
        let layers = statistics.identity.layers, heads = statistics.identity.heads
        let schedule = statistics.schedule, parts = statistics.identity.branches * layers * heads
        var errors = [[Double]](repeating: [], count: parts)
        errors.withUnsafeMutableBufferPointer { errors in
            nonisolated(unsafe) let errors = errors
            Parallel.forEach(parts: parts) { part in
                errors[part] = headErrors(
                    branch: part / heads / layers, layer: part / heads % layers, head: part % heads)
            }
        }
        var table = [[Double]](repeating: Array(repeating: 0, count: layers), count: schedule.scaleCount)
        for (part, row) in errors.enumerated() {
            for scale in row.indices { table[scale][part / heads % layers] += row[scale] }
        }
        let isInNats = statistics.hasLayerSensitivity
        if isInNats {
            for scale in table.indices {
                let weights = LayerWeights.ofScale(
                    (0..<layers).map { statistics.layerSensitivity(layer: $0, scale: scale) })
                for layer in 0..<layers {
                    table[scale][layer] =
                        Double(schedule.tokenCount(scale)) * log1p(weights[layer] * table[scale][layer])
                }
            }
        }
        return PredictedDistortion(
            byScaleAndLayer: table, byLayerAndHead: shared(table, among: errors), isInNats: isInNats)
    }

    /// What the layers cost, shared out among heads in proportion to their squared errors at each scale.
    private func shared(_ table: [[Double]], among errors: [[Double]]) -> [[Double]] {
        let layers = statistics.identity.layers, heads = statistics.identity.heads
        var result = [[Double]](repeating: Array(repeating: 0, count: heads), count: layers)
        for scale in table.indices {
            for layer in 0..<layers {
                let parts = errors.indices.filter { $0 / heads % layers == layer }
                let sum = parts.reduce(0) { $0 + errors[$1][scale] }
                guard sum > 0 else { continue }
                for part in parts { result[layer][part % heads] += table[scale][layer] * errors[part][scale] / sum }
            }
        }
        return result
    }

    /// The squared errors of one head, by scale.
    private func headErrors(branch: Int, layer: Int, head: Int) -> [Double] {
        let schedule = statistics.schedule
        let values = statistics.valueSketch(branch: branch, layer: layer, head: head)
        let slots = SlotMembers.all(plan, branch: branch, layer: layer, head: head, schedule: schedule)
        return slots.indices.map { scale in
            let isWhole = slots[scale].count == schedule.historyTokens(scale)
            guard !isWhole || !slots[scale].allSatisfy(\.isUntouched) else { return 0 }
            let sketches = CellSketches(
                signs: statistics.layout.signCount,
                attention: statistics.attentionSketch(branch: branch, layer: layer, head: head, scale: scale),
                values: values,
                keys: statistics.keySketch(branch: branch, layer: layer, head: head, scale: scale),
                mass: statistics.positionMass(branch: branch, layer: layer, head: head, scale: scale))
            return sketches.squaredError(slots[scale], keyWeight: Self.keyWeight)
        }
    }
}
