import TestSupport
import Testing
import VernierCore

@testable import TensorKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Attention in products of bfloat16 pairs; only where the processor has them.
@Suite(.enabled(if: Arithmetic.bfloat16.isSupported)) struct AttentionDotsTests {
    private struct Inputs {
        let width: Int, queryCount: Int, historyCount: Int, currentCount: Int
        let queries: FloatBuffer, bias: FloatBuffer
        let historyKeys: FloatBuffer, historyValues: FloatBuffer, currentKeys: FloatBuffer, currentValues: FloatBuffer

        init(width: Int, queries: Int, history: Int, current: Int) {
            var random = SplitMix64(seed: 5)
            (self.width, queryCount, historyCount, currentCount) = (width, queries, history, current)
            self.queries = FloatBuffer(random.floats(queries * width, in: -2...2))
            bias = FloatBuffer(random.floats(history, in: -1...2))
            historyKeys = FloatBuffer(random.floats(history * width))
            historyValues = FloatBuffer(random.floats(history * width))
            currentKeys = FloatBuffer(random.floats(current * width))
            currentValues = FloatBuffer(random.floats(current * width))
        }

        /// Runs over the first `count` queries, in scratch that holds no numbers.
        func run(
            _ arithmetic: Arithmetic, queries count: Int? = nil, measuring: (inout Attention) -> Void = { _ in }
        ) -> [Float] {
            let count = count ?? queryCount, out = FloatBuffer([Float](repeating: .nan, count: count * width))
            let scratchCount = Attention.scratchCount(
                headWidth: width, historyCount: historyCount, currentCount: currentCount)
            let scratch = FloatBuffer([Float](repeating: .nan, count: scratchCount))
            var attention = Attention(
                queries: queries.pointer, queryStride: width, queryCount: count, headWidth: width,
                output: out.pointer, outputStride: width)
            attention.arithmetic = arithmetic
            attention.historyKeys = UnsafeRawPointer(historyKeys.pointer)
            attention.historyValues = UnsafeRawPointer(historyValues.pointer)
            attention.historyBias = UnsafePointer(bias.pointer)
            attention.historyCount = historyCount
            attention.currentKeys = UnsafePointer(currentKeys.pointer)
            attention.currentValues = UnsafePointer(currentValues.pointer)
            attention.currentCount = currentCount
            measuring(&attention)
            attention.run(scratch: scratch.pointer)
            return out.array
        }
    }

    /// Head widths and key counts that fill pairs, sixteens and panels, and that do not; more keys than one run has.
    @Test(
        arguments: [
            (1, 1, 0, 1), (4, 13, 0, 33), (16, 12, 17, 30), (32, 25, 70, 100), (33, 5, 1, 2), (40, 3, 64, 15),
            (128, 7, 31, 1), (64, 14, 2080, 37),
        ])
    func outputsAreThoseOfRoundedFactors(width: Int, queries: Int, history: Int, current: Int) throws {
        let x = Inputs(width: width, queries: queries, history: history, current: current), d = width
        let out = x.run(.bfloat16), exact = x.run(.float32)
        let q = x.queries.array.map(nearestBFloat16), bias = x.bias.array.map(Double.init)
        let keys = (x.historyKeys.array + x.currentKeys.array).map(nearestBFloat16)
        let values = (x.historyValues.array + x.currentValues.array).map(nearestBFloat16)
        var excess = -Double.infinity, largest: Float = 0
        for i in 0..<queries {
            let scores = (0..<(history + current)).map { j in
                (0..<d).reduce(j < history ? bias[j] : 0) { $0 + q[i * d + $1] * keys[j * d + $1] }
            }
            // What float32 sums of a score's products may be off by.
            let slack = (0..<d).reduce(3.0) { $0 + abs(q[i * d + $1]) } * Double(d) * 0x1p-23
            let top = scores.max() ?? 0, weights = scores.map { exp($0 - top) }, total = weights.reduce(0, +)
            for c in 0..<d {
                var sum = 0.0, size = 0.0
                for (j, weight) in weights.enumerated() {
                    sum += weight * values[j * d + c] / total
                    size += weight * abs(values[j * d + c]) / total
                }
                // A probability is rounded by 2^-8 of itself; its exponential and the sum are off by 2^-13 each.
                let bound = size * (0x1p-8 + 0x1p-12 + slack) + 1e-6
                excess = max(excess, abs(Double(out[i * d + c]) - sum) - bound)
                largest = max(largest, abs(out[i * d + c] - exact[i * d + c]))
            }
        }
        #expect(excess <= 0)
        #expect(largest > 1e-4, "factors are rounded at all")
    }

    @Test func measuringChangesNothing() {
        let x = Inputs(width: 32, queries: 13, history: 37, current: 20)
        var entropy = 0.0
        let measured = withUnsafeMutablePointer(to: &entropy) { entropy in x.run(.bfloat16) { $0.entropy = entropy } }
        expectSame(measured, x.run(.bfloat16), what: "measured")
        #expect(entropy > 0)
    }

    /// Masses, entropy and the largest probabilities are those of the probabilities that are handed out, and these are the
    /// softmax of rounded queries and keys.
    @Test func measurementsAreOfTheRoundedScores() {
        let x = Inputs(width: 40, queries: 14, history: 21, current: 18), d = 40, total = 39
        let probabilities = FloatBuffer(count: 14 * total)
        var mass = [Double](repeating: 0, count: total), top = [0.0, 0.0], entropy = 0.0
        let counts: [Int32] = [1, 5]
        _ = mass.withUnsafeMutableBufferPointer { mass in
            top.withUnsafeMutableBufferPointer { top in
                counts.withUnsafeBufferPointer { counts in
                    withUnsafeMutablePointer(to: &entropy) { entropy in
                        x.run(.bfloat16) {
                            $0.probabilities = probabilities.pointer
                            $0.columnMass = mass.baseAddress
                            $0.topCounts = counts.baseAddress
                            $0.topCountCount = 2
                            $0.topMass = top.baseAddress
                            $0.entropy = entropy
                        }
                    }
                }
            }
        }
        let q = x.queries.array.map(nearestBFloat16)
        let keys = (x.historyKeys.array + x.currentKeys.array).map(nearestBFloat16)
        var masses = [Double](repeating: 0, count: total), tops = [0.0, 0.0], entropies = 0.0
        for i in 0..<14 {
            let scores = (0..<total).map { j in
                (0..<d).reduce(j < 21 ? Double(x.bias.pointer[j]) : 0) { $0 + q[i * d + $1] * keys[j * d + $1] }
            }
            let largest = scores.max() ?? 0, weights = scores.map { exp($0 - largest) }, sum = weights.reduce(0, +)
            let p = weights.map { $0 / sum }, found = (0..<total).map { Double(probabilities.pointer[i * total + $0]) }
            #expect(zip(p, found).allSatisfy { abs($0 - $1) < 1e-5 }, "query \(i)")
            for j in 0..<total { masses[j] += p[j] }
            for (t, count) in [1, 5].enumerated() {
                tops[t] += p.prefix(21).sorted(by: >).prefix(count).reduce(0, +)
            }
            entropies -= p.reduce(0) { $0 + $1 * log($1) }
        }
        #expect(zip(mass, masses).allSatisfy { abs($0 - $1) < 1e-4 })
        #expect(zip(top, tops).allSatisfy { abs($0 - $1) < 1e-4 })
        #expect(abs(entropy - entropies) < 1e-3)
    }

    /// A key that is no number spoils what attends to it, as it does in float32.
    @Test(arguments: Arithmetic.allCases) func whatIsNotANumberShows(arithmetic: Arithmetic) {
        for place in [0, 20, 36] {
            let x = Inputs(width: 32, queries: 5, history: 37, current: 20)
            x.historyKeys.pointer[place * 32 + 3] = .nan
            #expect(x.run(arithmetic).allSatisfy { $0.isNaN }, "key \(place)")
        }
    }

    @Test func bitsDoNotDependOnTheOtherQueries() {
        let x = Inputs(width: 32, queries: 29, history: 37, current: 20), all = x.run(.bfloat16)
        for count in [1, 2, 3, 5, 11, 12, 13, 24] {
            expectSame(x.run(.bfloat16, queries: count), Array(all.prefix(count * 32)), what: "\(count) queries")
        }
    }

    /// Scores far below the largest weigh nothing, and nothing overflows.
    @Test func distantScoresVanish() {
        let x = Inputs(width: 4, queries: 1, history: 20, current: 1)
        for i in 0..<20 { x.bias.pointer[i] = i == 7 ? 3e4 : -3e4 }
        let expected = (0..<4).map { Float(nearestBFloat16(x.historyValues.pointer[7 * 4 + $0])) }
        // The weight of the one that is left is the polynomial's 1, which is off by 2^-13, over itself.
        expectClose(x.run(.bfloat16), expected, tolerance: 0x1p-12, what: "value 7")
    }
}
