import TensorKernels
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The two-segment attention against a scalar reference in Float64, and its measurements against that reference.
@Suite struct AttentionTests {
    struct Inputs {
        let d: Int, queries: Int, history: Int, current: Int
        let q: [Float], hk: [Float], hv: [Float], ck: [Float], cv: [Float], bias: [Float]

        init(seed: UInt64, d: Int, queries: Int, history: Int, current: Int) {
            var random = SplitMix64(seed: seed)
            (self.d, self.queries, self.history, self.current) = (d, queries, history, current)
            q = random.floats(queries * d, in: -2...2)
            hk = random.floats(history * d)
            hv = random.floats(history * d)
            ck = random.floats(current * d)
            cv = random.floats(current * d)
            bias = random.floats(history, in: -1...2)
        }

        func reference(withBias: Bool) -> (out: [Float], probabilities: [[Double]]) {
            var out: [Float] = [], rows: [[Double]] = []
            for i in 0..<queries {
                var scores: [Double] = []
                for j in 0..<(history + current) {
                    let key =
                        j < history ? hk[(j * d)..<((j + 1) * d)] : ck[((j - history) * d)..<((j - history + 1) * d)]
                    let dot = zip(q[(i * d)..<((i + 1) * d)], key).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                    scores.append(dot + (withBias && j < history ? Double(bias[j]) : 0))
                }
                let top = scores.max() ?? 0
                let e = scores.map { exp($0 - top) }, total = e.reduce(0, +)
                let p = e.map { $0 / total }
                rows.append(p)
                for c in 0..<d {
                    out.append(
                        Float(
                            p.indices.reduce(0.0) {
                                let v = $1 < history ? hv[$1 * d + c] : cv[($1 - history) * d + c]
                                return $0 + p[$1] * Double(v)
                            }))
                }
            }
            return (out, rows)
        }
    }

    @Test func outputsAndMeasurements() throws {
        try withEvery("head width", in: [4, 16, 32, 40]) { d in
            try withEvery("history", in: [0, 1, 17, 70]) { history in
                try withEvery("current", in: [1, 13, 33]) { current in
                    try withEvery("bias", in: [false, true]) { withBias in
                        check(
                            Inputs(seed: 1, d: d, queries: current, history: history, current: current),
                            withBias: withBias)
                    }
                }
            }
        }
    }

    private func check(_ x: Inputs, withBias: Bool) {
        let expected = x.reference(withBias: withBias)
        let total = x.history + x.current
        let out = FloatBuffer.zeros(count: x.queries * x.d)
        let probabilities = FloatBuffer.zeros(count: x.queries * total)
        var mass = [Double](repeating: 0, count: total), entropy = 0.0, topMass = [Double](repeating: 0, count: 2)
        let counts: [Int32] = [1, 5]
        let scratch = FloatBuffer(
            count: Attention.scratchCount(headWidth: x.d, historyCount: x.history, currentCount: x.current))
        let weights = (0..<x.queries).map { Float($0 % 2) }
        x.q.withUnsafeBufferPointer { q in
            x.hk.withUnsafeBufferPointer { hk in
                x.hv.withUnsafeBufferPointer { hv in
                    x.ck.withUnsafeBufferPointer { ck in
                        x.cv.withUnsafeBufferPointer { cv in
                            x.bias.withUnsafeBufferPointer { bias in
                                var attention = Attention(
                                    queries: q.baseAddress!, queryStride: x.d, queryCount: x.queries, headWidth: x.d,
                                    output: out.pointer, outputStride: x.d)
                                attention.historyKeys = UnsafeRawPointer(hk.baseAddress)
                                attention.historyValues = UnsafeRawPointer(hv.baseAddress)
                                attention.historyCount = x.history
                                attention.historyBias = withBias ? bias.baseAddress : nil
                                attention.currentKeys = ck.baseAddress
                                attention.currentValues = cv.baseAddress
                                attention.currentCount = x.current
                                attention.probabilities = probabilities.pointer
                                weights.withUnsafeBufferPointer { weights in
                                    mass.withUnsafeMutableBufferPointer { mass in
                                        topMass.withUnsafeMutableBufferPointer { topMass in
                                            counts.withUnsafeBufferPointer { counts in
                                                attention.rowWeights = weights.baseAddress
                                                attention.columnMass = mass.baseAddress
                                                attention.topCounts = counts.baseAddress
                                                attention.topCountCount = 2
                                                attention.topMass = topMass.baseAddress
                                                withUnsafeMutablePointer(to: &entropy) {
                                                    attention.entropy = $0
                                                    attention.run(scratch: scratch.pointer)
                                                }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        // float32 softmax over at most 103 keys with logits below 100: probabilities to 1e-5, outputs likewise.
        expectClose(out.array, expected.out, tolerance: 2e-5, what: "output")
        expectClose(
            probabilities.array, expected.probabilities.flatMap { $0.map(Float.init) }, tolerance: 2e-5,
            what: "probabilities")
        let counted = expected.probabilities.indices.filter { $0 % 2 == 1 }
        for j in 0..<total {
            let sum = counted.reduce(0.0) { $0 + expected.probabilities[$1][j] }
            #expect(abs(mass[j] - sum) < 1e-4, "mass of key \(j)")
        }
        let entropies = counted.reduce(0.0) { sum, i in
            sum - expected.probabilities[i].reduce(0.0) { $0 + ($1 > 0 ? $1 * log($1) : 0) }
        }
        #expect(abs(entropy - entropies) < 1e-3, "entropy \(entropy), expected \(entropies)")
        for (t, count) in [1, 5].enumerated() {
            let sum = counted.reduce(0.0) { sum, i in
                sum + expected.probabilities[i].prefix(x.history).sorted(by: >).prefix(count).reduce(0, +)
            }
            #expect(abs(topMass[t] - sum) < 1e-4, "top \(count) mass \(topMass[t]), expected \(sum)")
        }
    }
}
