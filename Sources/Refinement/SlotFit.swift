import TensorKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Fits the numbers of one boundary map to the attention outputs of one target scale, groups fixed.
///
/// Unknown are a key coefficient and a value coefficient for every source and a bias for every slot. With a the attention
/// of the slots, k and v the sources, V the slots' values and o the output, the output moves by
/// `a_j (q . k_s)(V_j - o)` with the key coefficient of source s in slot j, by `a_j (V_j - o)` with the bias of slot j
/// and by `a_j v_s` with the value coefficient. The squared error of the head's contribution to the residual stream
/// is brought down by damped Gauss-Newton steps (Levenberg 1944, Marquardt 1963) over all of them together, with a
/// ridge towards the plan's own numbers.
struct SlotFit {
    /// The sources of one sequence.
    struct Sources {
        let keys: Matrix  // [N, D]
        let values: Matrix  // [N, D], in the metric of the residual stream
        let target: TargetScale
    }
    /// The numbers of a map.
    struct Numbers {
        var keys: [Float]  // [N]
        var values: [Float]  // [N]
        var biases: [Float]  // [S], whole biases
    }

    /// The slot of each source; nil for what is dropped.
    let slots: [Int?]
    let slotCount: Int
    /// Whether a source's coefficients may move: it shares its slot.
    let isFree: [Bool]
    /// Strength of the ridge, as a share of the mean curvature.
    var ridge: Float = 3e-3
    var iterations = 3

    private var sourceCount: Int { slots.count }
    private var features: Int { sourceCount + slotCount }
    private var unknowns: Int { features + sourceCount }

    /// Mean squared error over sequences and queries.
    func error(_ numbers: Numbers, _ data: [Sources]) -> Double {
        var sum = 0.0
        for sequence in data { sum += forward(numbers, sequence).error }
        return sum / Double(max(data.count, 1))
    }

    /// The fitted numbers; those given if nothing better is found.
    func fit(_ prior: Numbers, _ data: [Sources]) -> Numbers {
        guard !data.isEmpty, slotCount > 0 else { return prior }
        var current = prior
        var damping: Double = 1
        var loss = error(current, data)
        for iteration in 0..<iterations {
            var (curvature, gradient) = normalEquations(current, data)
            let free = freedom
            let diagonal = (0..<unknowns).map { curvature[$0 * unknowns + $0] }
            let ridges = ridges(diagonal, free)
            let deviation = flat(current, minus: prior)
            for i in 0..<unknowns { gradient[i] = free[i] ? gradient[i] - ridges[i] * deviation[i] : 0 }
            func penalty(_ numbers: Numbers) -> Double {
                let deviation = flat(numbers, minus: prior)
                return (0..<unknowns).reduce(0) { $0 + ridges[$1] * deviation[$1] * deviation[$1] }
            }
            for i in 0..<unknowns where !free[i] {
                for j in 0..<unknowns {
                    curvature[i * unknowns + j] = 0
                    curvature[j * unknowns + i] = 0
                }
            }
            let objective = loss + penalty(current)
            damping *= iteration == 0 ? 0.1 : 0.3
            var improved = false
            for _ in 0..<4 {
                var system = curvature
                for i in 0..<unknowns {
                    system[i * unknowns + i] +=
                        free[i] ? ridges[i] + damping * (ridges[i] + 0.1 * diagonal[i]) + 1e-30 : 1
                }
                if let factor = CholeskyFactor(system, order: unknowns) {
                    var step = gradient
                    factor.solve(&step)
                    let candidate = moved(current, by: step)
                    let found = error(candidate, data)
                    if found + penalty(candidate) < objective {
                        current = candidate
                        loss = found
                        improved = true
                        break
                    }
                }
                damping *= 10
            }
            if !improved { break }
        }
        return current
    }

    // MARK: - Unknowns: keys, biases, values

    private var freedom: [Bool] { isFree + Array(repeating: true, count: slotCount) + isFree }

    private func flat(_ numbers: Numbers, minus other: Numbers) -> [Double] {
        zip(numbers.keys, other.keys).map { Double($0 - $1) }
            + zip(numbers.biases, other.biases).map { Double($0 - $1) }
            + zip(numbers.values, other.values).map { Double($0 - $1) }
    }

    private func moved(_ numbers: Numbers, by step: [Double]) -> Numbers {
        var moved = numbers
        for i in 0..<sourceCount {
            moved.keys[i] += Float(step[i])
            moved.values[i] += Float(step[features + i])
        }
        for slot in 0..<slotCount { moved.biases[slot] += Float(step[sourceCount + slot]) }
        return moved
    }

    /// One strength a kind of unknown, from its mean curvature.
    private func ridges(_ diagonal: [Double], _ free: [Bool]) -> [Double] {
        var result = [Double](repeating: 0, count: unknowns)
        for range in [0..<sourceCount, sourceCount..<features, features..<unknowns] {
            let live = range.filter { free[$0] }
            let mean = live.reduce(0) { $0 + diagonal[$1] } / Double(max(live.count, 1))
            for i in range { result[i] = Double(ridge) * mean + 1e-9 }
        }
        return result
    }

    // MARK: - The model

    private struct Pass {
        let attention: Matrix  // [S, n]
        let output: Matrix  // [D, n]
        let residual: Matrix  // [D, n]
        let slotValues: Matrix  // [S, D]
        let error: Double
    }

    /// The slots that the coefficients make of some sources.
    func pooled(_ coefficients: [Float], _ sources: Matrix) -> Matrix {
        var result = Matrix(rows: slotCount, columns: sources.columns)
        for (source, slot) in slots.enumerated() {
            guard let slot else { continue }
            for c in 0..<sources.columns { result[slot, c] += coefficients[source] * sources[source, c] }
        }
        return result
    }

    private func forward(_ numbers: Numbers, _ sequence: Sources) -> Pass {
        let target = sequence.target, n = target.queries.rows
        let keys = pooled(numbers.keys, sequence.keys), values = pooled(numbers.values, sequence.values)
        var attention = keys.times(transposed: target.queries)  // [S, n] logits
        var top = target.currentLogSum
        for slot in 0..<slotCount {
            for i in 0..<n {
                attention.values[slot * n + i] += numbers.biases[slot]
                top[i] = max(top[i], attention.values[slot * n + i])
            }
        }
        var own = (0..<n).map { expf(target.currentLogSum[$0] - top[$0]) }
        var total = own
        for slot in 0..<slotCount {
            for i in 0..<n {
                let e = expf(attention.values[slot * n + i] - top[i])
                attention.values[slot * n + i] = e
                total[i] += e
            }
        }
        for slot in 0..<slotCount {
            for i in 0..<n { attention.values[slot * n + i] /= total[i] }
        }
        for i in 0..<n { own[i] /= total[i] }
        var output = values.transposed.times(transposed: attention.transposed)  // [D, n]
        var residual = target.output
        var sum = 0.0
        for c in 0..<output.rows {
            for i in 0..<n {
                let place = c * n + i
                output.values[place] += own[i] * target.currentOutput.values[place]
                residual.values[place] -= output.values[place]
                sum += Double(residual.values[place]) * Double(residual.values[place])
            }
        }
        return Pass(
            attention: attention, output: output, residual: residual, slotValues: values, error: sum / Double(n))
    }

    /// Gauss-Newton curvature `[unknowns, unknowns]` and half the negative gradient of the mean squared error.
    private func normalEquations(_ numbers: Numbers, _ data: [Sources]) -> ([Double], [Double]) {
        let n = sourceCount, j = features, t = unknowns
        var curvature = Matrix(rows: t, columns: t)
        var gradient = [Double](repeating: 0, count: t)
        let places = slots.map { $0 ?? 0 } + Array(0..<slotCount)
        let live = slots.map { $0 == nil ? Float(0) : 1 } + Array(repeating: Float(1), count: slotCount)
        for sequence in data {
            let pass = forward(numbers, sequence)
            let queries = sequence.target.queries, q = queries.rows
            let factor = 1 / (Float(q) * Float(data.count))
            let slotValues = pass.slotValues.gathering(places)  // [J, D]
            // Weights of the features, transposed: [J, q] and [N, q].
            let logits = sequence.keys.times(transposed: queries)
            var weights = Matrix(rows: j, columns: q), shares = Matrix(rows: n, columns: q)
            for f in 0..<j {
                let row = f * q, slot = places[f] * q
                for i in 0..<q {
                    let attention = pass.attention.values[slot + i] * live[f]
                    weights.values[row + i] = f < n ? attention * logits.values[row + i] : attention
                    if f < n { shares.values[row + i] = attention }
                }
            }
            let output = pass.output.transposed, residual = pass.residual.transposed  // [q, D]
            let alongSlots = slotValues.times(transposed: output)  // V_f . o_i, [J, q]
            let alongSources = sequence.values.times(transposed: output)  // v_s . o_i, [N, q]
            var norms = [Float](repeating: 0, count: q), projected = norms
            for c in 0..<output.columns {
                for i in 0..<q {
                    norms[i] += output[i, c] * output[i, c]
                    projected[i] += residual[i, c] * output[i, c]
                }
            }
            var half = weights, offset = shares
            for f in 0..<j {
                for i in 0..<q { half.values[f * q + i] *= 0.5 * norms[i] - alongSlots.values[f * q + i] }
            }
            for s in 0..<n {
                for i in 0..<q { offset.values[s * q + i] *= alongSources.values[s * q + i] }
            }
            let slotProducts = slotValues.times(transposed: slotValues)
            let crossProducts = slotValues.times(transposed: sequence.values)
            let sourceProducts = sequence.values.times(transposed: sequence.values)
            let keyPairs = weights.times(transposed: weights), keyHalves = weights.times(transposed: half)
            let mixedPairs = weights.times(transposed: shares), mixedOffsets = weights.times(transposed: offset)
            let valuePairs = shares.times(transposed: shares)
            for f in 0..<j {
                for g in 0..<j {
                    curvature.values[f * t + g] +=
                        factor
                        * (keyPairs.values[f * j + g] * slotProducts.values[f * j + g] + keyHalves.values[f * j + g]
                            + keyHalves.values[g * j + f])
                }
                for s in 0..<n {
                    let value =
                        factor
                        * (mixedPairs.values[f * n + s] * crossProducts.values[f * n + s]
                            - mixedOffsets.values[f * n + s])
                    curvature.values[f * t + j + s] += value
                    curvature.values[(j + s) * t + f] += value
                }
            }
            for s in 0..<n {
                for r in 0..<n {
                    curvature.values[(j + s) * t + j + r] +=
                        factor * valuePairs.values[s * n + r] * sourceProducts.values[s * n + r]
                }
            }
            let pulls = slotValues.times(transposed: residual),
                sourcePulls = sequence.values.times(transposed: residual)
            for f in 0..<j {
                var sum: Float = 0
                for i in 0..<q { sum += weights.values[f * q + i] * (pulls.values[f * q + i] - projected[i]) }
                gradient[f] += Double(factor * sum)
            }
            for s in 0..<n {
                var sum: Float = 0
                for i in 0..<q { sum += shares.values[s * q + i] * sourcePulls.values[s * q + i] }
                gradient[j + s] += Double(factor * sum)
            }
        }
        return (curvature.values.map { Double($0) }, gradient)
    }
}
