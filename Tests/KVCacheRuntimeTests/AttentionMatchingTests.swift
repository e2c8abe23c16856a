import TestSupport
import TensorKernels
import Testing

@testable import KVCacheRuntime

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Fitted biases and values, and the solver under them.
@Suite struct AttentionMatchingTests {
    /// What the rule stores for a cell.
    private struct Revised {
        var kept: [Int32]
        var keys: [Float]
        var values: [Float]
        var biases: [Float]
    }

    private func revise(_ rule: AttentionMatchingRule, _ candidates: HandmadeCandidates, keeping count: Int) -> Revised
    {
        let width = candidates.width, kept = candidates.kept(rule, count)
        func rows(_ all: [Float]) -> [Float] {
            kept.flatMap { all[Int($0) * width..<(Int($0) + 1) * width] }
        }
        var revised = Revised(
            kept: kept, keys: rows(candidates.keys), values: rows(candidates.values),
            biases: kept.map {
                $0 < candidates.historyCount && !candidates.biases.isEmpty ? candidates.biases[Int($0)] : 0
            })
        kept.withUnsafeBufferPointer { kept in
            revised.keys.withUnsafeMutableBufferPointer { keys in
                revised.values.withUnsafeMutableBufferPointer { values in
                    revised.biases.withUnsafeMutableBufferPointer { biases in
                        guard let k = keys.baseAddress, let v = values.baseAddress, let b = biases.baseAddress else {
                            return
                        }
                        candidates.whole { rule.revise($0, kept: kept, keys: k, values: v, biases: b) }
                    }
                }
            }
        }
        return revised
    }

    /// Attention output and log of the softmax denominator of one query.
    private func attend(
        _ query: [Float], keys: [Float], values: [Float], biases: [Float], width: Int
    ) -> (output: [Double], logSum: Double) {
        var output = [Double](repeating: 0, count: width), sum = 0.0
        for slot in biases.indices {
            var logit = Double(biases[slot])
            for c in 0..<width { logit += Double(query[c]) * Double(keys[slot * width + c]) }
            sum += exp(logit)
            for c in 0..<width { output[c] += exp(logit) * Double(values[slot * width + c]) }
        }
        return (output.map { $0 / sum }, log(sum))
    }

    private func random(seed: UInt64, width: Int = 4) throws -> HandmadeCandidates {
        var random = SplitMix64(seed: seed)
        var candidates = try HandmadeCandidates(width: width)
        candidates.queries = random.floats(9 * width, in: -2...2)
        candidates.keys = random.floats(14 * width)
        candidates.values = random.floats(14 * width)
        candidates.biases = random.floats(5, in: 0...2)
        return candidates
    }

    @Test func twoEqualKeysBecomeOneWithTheirSumAndMean() throws {
        var candidates = try HandmadeCandidates(width: 2)
        (candidates.historyCount, candidates.count) = (0, 2)
        candidates.queries = [1, 2, -3, 0.5]
        candidates.keys = [0.3, -0.2, 0.3, -0.2]
        candidates.values = [1, 4, 3, -2]
        let revised = revise(AttentionMatchingRule(ridge: 0), candidates, keeping: 1)
        #expect(revised.kept == [0])
        #expect(abs(revised.biases[0] - logf(2)) < 1e-5)
        expectClose(revised.values, [2, 1], tolerance: 1e-5, what: "the mean value")
        #expect(revised.keys == [0.3, -0.2])
    }

    @Test func outputsOfTheReferenceQueriesAreMet() throws {
        for seed in 0..<5 as Range<UInt64> {
            let candidates = try random(seed: seed)
            let allBiases = candidates.biases + [Float](repeating: 0, count: 9)
            // Three queries and six slots: the outputs can be met exactly.
            let rule = AttentionMatchingRule(ridge: 1e-9, references: 3)
            let revised = revise(rule, candidates, keeping: 6)
            for token in [0, 3, 6] {
                let query = Array(candidates.queries[token * 4..<(token + 1) * 4])
                let full = attend(
                    query, keys: candidates.keys, values: candidates.values, biases: allBiases, width: 4)
                let few = attend(
                    query, keys: revised.keys, values: revised.values, biases: revised.biases, width: 4)
                #expect(zip(full.output, few.output).allSatisfy { abs($0 - $1) < 1e-4 }, "seed \(seed), query \(token)")
            }
        }
    }

    /// Over all queries, fitted slots are closer than the same slots as they were, in denominators and in outputs.
    @Test func fittedSlotsAreCloserThanEvictedOnes() throws {
        for score in [AttentionMatchingRule.Score.rms, .mean, .max] {
            for seed in 0..<5 as Range<UInt64> {
                let candidates = try random(seed: seed)
                let allBiases = candidates.biases + [Float](repeating: 0, count: 9)
                let rule = AttentionMatchingRule(score: score)
                let revised = revise(rule, candidates, keeping: 4)
                var errors = [0.0, 0.0], sums = [0.0, 0.0]
                for token in 0..<9 {
                    let query = Array(candidates.queries[token * 4..<(token + 1) * 4])
                    let full = attend(
                        query, keys: candidates.keys, values: candidates.values, biases: allBiases, width: 4)
                    let plainValues = revised.kept.flatMap {
                        candidates.values[Int($0) * 4..<(Int($0) + 1) * 4]
                    }
                    let forms = [
                        attend(
                            query, keys: revised.keys, values: plainValues,
                            biases: revised.kept.map { allBiases[Int($0)] }, width: 4),
                        attend(query, keys: revised.keys, values: revised.values, biases: revised.biases, width: 4),
                    ]
                    for (index, form) in forms.enumerated() {
                        errors[index] += zip(full.output, form.output).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                        sums[index] += abs(full.logSum - form.logSum)
                    }
                }
                #expect(errors[1] < 0.5 * errors[0], "seed \(seed): \(errors)")
                #expect(sums[1] < 0.5 * sums[0], "seed \(seed): \(sums)")
            }
        }
    }

    @Test func weightsAreFoundWithinTheirBounds() {
        var random = SplitMix64(seed: 9)
        let design = (0..<8 * 3).map { _ in Double(random.float(in: 0...1)) }
        let weights = [0.7, 3, 1.5]
        let target = (0..<8).map { row in (0..<3).reduce(0) { $0 + design[row * 3 + $1] * weights[$1] } }
        let found = AttentionMatchingRule.fitWeights(design, target: target, slots: 3)
        #expect(zip(found, weights).allSatisfy { abs($0 - $1) < 1e-4 })
        #expect(AttentionMatchingRule.fitWeights([1, 1], target: [1000, 1000], slots: 1) == [exp(3.0)])
        #expect(AttentionMatchingRule.fitWeights([1, 1], target: [0, 0], slots: 1) == [exp(-3.0)])
        #expect(AttentionMatchingRule.fitWeights([0, 0], target: [5, 5], slots: 1) == [1], "a key nobody attends")
    }

    @Test func choleskySolvesWhatIsPositiveDefinite() throws {
        let factor = try #require(CholeskyFactor([4, 0, 2, 5], order: 2))
        var vector = [10.0, 13]  // [[4, 2], [2, 5]] x
        factor.solve(&vector)
        #expect(abs(vector[0] - 1.5) < 1e-12 && abs(vector[1] - 2) < 1e-12)
        #expect(CholeskyFactor([1, 2, 2, 1], order: 2) == nil)
        #expect(CholeskyFactor([.nan], order: 1) == nil)
        var random = SplitMix64(seed: 3)
        let order = 12, root = (0..<order * order).map { _ in Double(random.float()) }
        var matrix = [Double](repeating: 0, count: order * order)
        for i in 0..<order {
            for j in 0..<order {
                for k in 0..<order { matrix[i * order + j] += root[i * order + k] * root[j * order + k] }
            }
            matrix[i * order + i] += 0.1
        }
        let expected = (0..<order).map { _ in Double(random.float()) }
        var solution = (0..<order).map { i in (0..<order).reduce(0) { $0 + matrix[i * order + $1] * expected[$1] } }
        try #require(CholeskyFactor(matrix, order: order)).solve(&solution)
        #expect(zip(solution, expected).allSatisfy { abs($0 - $1) < 1e-9 })
    }
}
