import TensorKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Keeps the most attended keys and fits them biases and values that stand for all (Attention Matching, arXiv
/// 2602.16284; adamzweiger/compaction: compaction/algorithms/highest_attention_keys.py).
///
/// Reference queries are those of the scale just finished, or `references` of them spread evenly. The keys of highest
/// score stay: the root mean square, mean or maximum of their probabilities. Then every kept key gets a weight B from
/// e^-3 to e^3 by least squares on the softmax denominators, `sum_j B_j exp(q k_j) = sum of all exp(q k)`, and log B is
/// added to its bias. Last, values by least squares on the attention outputs.
///
/// Deviations, all in the method's favour: the weights are fitted to convergence by coordinate descent instead of two
/// gradient steps; values are found as least changes of the kept ones, with a penalty of `ridge` times the mean squared
/// column norm, instead of as vectors of least norm, which would fade them wherever there are fewer queries than keys.
public struct AttentionMatchingRule: SlotSelector {
    /// How a key's probabilities become its score.
    public struct Score: Sendable, Hashable {
        fileprivate enum Kind: String { case rms, mean, max }
        fileprivate let kind: Kind
        /// The root of the mean square.
        public static let rms = Score(kind: .rms)
        /// The mean.
        public static let mean = Score(kind: .mean)
        /// The maximum.
        public static let max = Score(kind: .max)

        private init(kind: Kind) { self.kind = kind }

        /// The score called `name`: `rms`, `mean` or `max`; nil if there is none.
        public init?(name: String) {
            guard let kind = Kind(rawValue: name) else { return nil }
            self.kind = kind
        }
    }

    public static let name = "attention-matching"
    /// How keys are scored.
    public let score: Score
    /// The penalty on changes of the values, as a share of the mean squared column norm of the attention.
    public let ridge: Double
    /// The most queries that are used.
    public let references: Int

    private static let leastWeight = exp(-3.0)
    private static let largestWeight = exp(3.0)
    private static let sweeps = 200

    /// Makes the rule.
    /// - Precondition: `ridge` is not negative and `references` is positive.
    public init(score: Score = .rms, ridge: Double = 1e-3, references: Int = 256) {
        precondition(ridge >= 0 && references > 0, "ridge is not negative and references is positive")
        self.score = score
        self.ridge = ridge
        self.references = references
    }

    public var needsKeys: Bool { true }
    public var needsValues: Bool { true }
    public var revisesSlots: Bool { true }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let attention = CandidateAttention(candidates, queries: chosenQueries(candidates.tokenCount))
        keepHighest(candidates.count, into: kept) { index in
            let rows = 0..<attention.queryCount
            switch score.kind {
            case .max: return rows.map { attention.probability($0, index) }.max() ?? 0
            case .mean: return rows.reduce(0) { $0 + attention.probability($1, index) }
            case .rms:
                return rows.reduce(0) {
                    let probability = attention.probability($1, index)
                    return $0 + probability * probability
                }
            }
        }
    }

    public func revise(
        _ candidates: SlotCandidates, kept: UnsafeBufferPointer<Int32>, keys: UnsafeMutablePointer<Float>,
        values: UnsafeMutablePointer<Float>, biases: UnsafeMutablePointer<Float>
    ) {
        let attention = CandidateAttention(candidates, queries: chosenQueries(candidates.tokenCount))
        guard attention.queryCount > 0, !kept.isEmpty, let allValues = candidates.values else { return }
        let rows = attention.queryCount, slots = kept.count, width = candidates.headWidth
        var design = [Double](repeating: 0, count: rows * slots)  // [rows, slots]
        for row in 0..<rows {
            for (slot, index) in kept.enumerated() {
                design[row * slots + slot] = attention.weights[row * attention.candidateCount + Int(index)]
            }
        }
        let weights = Self.fitWeights(design, target: attention.sums, slots: slots)
        for slot in 0..<slots { biases[slot] += Float(log(weights[slot])) }

        // The attention that the queries now pay, and what is missing in their outputs.
        var missing = [Double](repeating: 0, count: rows * width)
        for row in 0..<rows {
            let range = row * slots..<(row + 1) * slots
            for slot in 0..<slots { design[range.lowerBound + slot] *= weights[slot] }
            let sum = design[range].reduce(0, +)
            if sum > 0 { for place in range { design[place] /= sum } }
            for index in 0..<attention.candidateCount {
                let probability = attention.probability(row, index), value = allValues[index]
                for c in 0..<width { missing[row * width + c] += probability * Double(value[c]) }
            }
            for slot in 0..<slots {
                let value = values + slot * width
                for c in 0..<width { missing[row * width + c] -= design[range.lowerBound + slot] * Double(value[c]) }
            }
        }
        guard let change = valueChange(design, missing: missing, rows: rows, slots: slots, width: width) else { return }
        for place in 0..<slots * width { values[place] += Float(change[place]) }
    }

    /// At most ``references`` query numbers, spread evenly.
    private func chosenQueries(_ count: Int) -> [Int] {
        let chosen = min(references, count)
        return (0..<chosen).map { $0 * count / chosen }
    }

    /// The weights `[slots]` within the bounds that bring `design` `[rows, slots]` closest to `target` `[rows]`.
    static func fitWeights(_ design: [Double], target: [Double], slots: Int) -> [Double] {
        let rows = target.count
        var gram = [Double](repeating: 0, count: slots * slots), right = [Double](repeating: 0, count: slots)
        for row in 0..<rows {
            let start = row * slots
            for i in 0..<slots {
                right[i] += design[start + i] * target[row]
                for j in 0...i { gram[i * slots + j] += design[start + i] * design[start + j] }
            }
        }
        for i in 0..<slots { for j in 0..<i { gram[j * slots + i] = gram[i * slots + j] } }
        var weights = [Double](repeating: 1, count: slots)
        // right - gram * weights, kept up to date.
        var slope = right
        for i in 0..<slots { for j in 0..<slots { slope[i] -= gram[i * slots + j] } }
        for _ in 0..<sweeps {
            var largestStep = 0.0
            for slot in 0..<slots where gram[slot * slots + slot] > 0 {
                let free = weights[slot] + slope[slot] / gram[slot * slots + slot]
                let step = min(max(free, leastWeight), largestWeight) - weights[slot]
                guard step != 0, step.isFinite else { continue }
                weights[slot] += step
                for i in 0..<slots { slope[i] -= gram[slot * slots + i] * step }
                largestStep = max(largestStep, abs(step))
            }
            if largestStep < 1e-9 { break }
        }
        return weights
    }

    /// The change `[slots, width]` of the values that best fills `missing` `[rows, width]`; nil if there is none.
    ///
    /// Solves the smaller of the two normal equations. A matrix that is not positive definite is tried once more with a
    /// penalty of 1e-6.
    private func valueChange(_ design: [Double], missing: [Double], rows: Int, slots: Int, width: Int) -> [Double]? {
        let bySlots = slots <= rows, order = min(slots, rows)
        var gram = [Double](repeating: 0, count: order * order)
        for row in 0..<rows {
            for i in 0..<slots where bySlots {
                for j in 0...i { gram[i * order + j] += design[row * slots + i] * design[row * slots + j] }
            }
            for other in 0...row where !bySlots {
                gram[row * order + other] = (0..<slots).reduce(0) {
                    $0 + design[row * slots + $1] * design[other * slots + $1]
                }
            }
        }
        let mean = (0..<order).reduce(0) { $0 + gram[$1 * order + $1] } / Double(slots)
        var factor: CholeskyFactor?
        for penalty in [ridge, max(ridge, 1e-6)] where factor == nil {
            var penalised = gram
            for i in 0..<order { penalised[i * order + i] += penalty * mean }
            factor = CholeskyFactor(penalised, order: order)
        }
        guard let factor else { return nil }
        var change = [Double](repeating: 0, count: slots * width)
        for c in 0..<width {
            let column = (0..<rows).map { missing[$0 * width + c] }
            var solution = bySlots ? Self.transposedProduct(design, column, slots: slots) : column
            factor.solve(&solution)
            if !bySlots { solution = Self.transposedProduct(design, solution, slots: slots) }
            guard solution.allSatisfy(\.isFinite) else { return nil }
            for slot in 0..<slots { change[slot * width + c] = solution[slot] }
        }
        return change
    }

    private static func transposedProduct(_ design: [Double], _ column: [Double], slots: Int) -> [Double] {
        var result = [Double](repeating: 0, count: slots)
        for (row, value) in column.enumerated() {
            for slot in 0..<slots { result[slot] += design[row * slots + slot] * value }
        }
        return result
    }
}
