import CKernels
import TensorKernels
import TestSupport
import Testing
import VernierCore

/// The sketches of the attention kernel against their definition in Float64, and the same bits on every path.
@Suite(.serialized) struct AttentionSketchTests {
    private struct Result {
        var attention: [Float]
        var keys: [Float]
        var probabilities: [Float]
        var output: [Float]
    }

    private func run(
        q: [Float], stride: Int, history: [Float], current: [Float], d: Int, signs: [Float], signCount: Int,
        arithmetic: Arithmetic = .float32
    ) -> Result {
        let queries = q.count / stride, h = history.count / d, n = current.count / d
        // Garbage, which the kernel must overwrite.
        let attentionSketch = FloatBuffer([Float](repeating: .nan, count: max(h * signCount, 1)))
        let keySketch = FloatBuffer([Float](repeating: .nan, count: max(h * signCount, 1)))
        let out = FloatBuffer(count: queries * d), probabilities = FloatBuffer(count: queries * (h + n))
        let buffers = [q, history, current, signs].map { FloatBuffer($0) }
        var attention = Attention(
            queries: buffers[0].pointer, queryStride: stride, queryCount: queries, headWidth: d,
            output: out.pointer, outputStride: d)
        attention.arithmetic = arithmetic
        attention.historyKeys = UnsafeRawPointer(buffers[1].pointer)
        attention.historyValues = UnsafeRawPointer(buffers[1].pointer)
        attention.historyCount = h
        attention.currentKeys = UnsafePointer(buffers[2].pointer)
        attention.currentValues = UnsafePointer(buffers[2].pointer)
        attention.currentCount = n
        attention.probabilities = probabilities.pointer
        if signCount > 0 {
            attention.sketch(
                signs: buffers[3].pointer, count: signCount, attention: attentionSketch.pointer,
                keys: keySketch.pointer)
        }
        let scratch = FloatBuffer(
            count: Attention.scratchCount(headWidth: d, historyCount: h, currentCount: n, signCount: signCount))
        attention.run(scratch: scratch.pointer)
        return withExtendedLifetime(buffers) {
            Result(
                attention: Array(attentionSketch.array.prefix(h * signCount)),
                keys: Array(keySketch.array.prefix(h * signCount)), probabilities: probabilities.array,
                output: out.array)
        }
    }

    @Test func sketchesAreTheirDefinitionOnEveryPath() throws {
        defer { vk_isa_force(vk_isa_best()) }
        try withEvery("signs", in: [1, 15, 16, 37, 64]) { signCount in
            try withEvery("queries", in: [1, 12, 31]) { queries in
                try withEvery("history", in: [0, 1, 6, 45]) { history in
                    var random = SplitMix64(seed: 3)
                    let d = 20, stride = 23
                    let q = random.floats(queries * stride, in: -2...2)
                    let keys = random.floats(history * d), current = random.floats(queries * d)
                    let signs = (0..<queries * signCount).map { _ in random.integer(in: 0..<2) == 0 ? Float(1) : -1 }
                    var first: Result?
                    for isa in 0...vk_isa_best() {
                        vk_isa_force(isa)
                        let result = run(
                            q: q, stride: stride, history: keys, current: current, d: d, signs: signs,
                            signCount: signCount)
                        check(result, q: q, stride: stride, keys: keys, d: d, signs: signs, signCount: signCount)
                        let expected = first ?? result
                        first = expected
                        for (part, values) in [
                            ("attention", (result.attention, expected.attention)),
                            ("keys", (result.keys, expected.keys)),
                        ] {
                            expectSame(
                                values.0.map(\.bitPattern), values.1.map(\.bitPattern), what: "\(part), path \(isa)")
                        }
                    }
                    if Arithmetic.bfloat16.isSupported {
                        let rounded = run(
                            q: q, stride: stride, history: keys, current: current, d: d, signs: signs,
                            signCount: signCount, arithmetic: .bfloat16)
                        check(rounded, q: q, stride: stride, keys: keys, d: d, signs: signs, signCount: signCount)
                    }
                    let plain = run(
                        q: q, stride: stride, history: keys, current: current, d: d, signs: [], signCount: 0)
                    #expect(plain.output == first?.output, "the output is that without sketches")
                }
            }
        }
    }

    private func check(
        _ result: Result, q: [Float], stride: Int, keys: [Float], d: Int, signs: [Float], signCount: Int
    ) {
        let queries = q.count / stride, history = keys.count / d, total = history + queries
        var attention: [Float] = [], products: [Float] = []
        for p in 0..<history {
            for r in 0..<signCount {
                var mass = 0.0, product = 0.0
                for i in 0..<queries {
                    let sign = Double(signs[i * signCount + r])
                    mass += sign * Double(result.probabilities[i * total + p])
                    for c in 0..<d { product += sign * Double(q[i * stride + c]) * Double(keys[p * d + c]) }
                }
                attention.append(Float(mass))
                products.append(Float(product))
            }
        }
        // Sums of at most 31 numbers below 1, and of 620 below 2.
        expectClose(result.attention, attention, tolerance: 2e-6, what: "attention sketch")
        expectClose(result.keys, products, tolerance: 5e-5, what: "key sketch")
    }
}
