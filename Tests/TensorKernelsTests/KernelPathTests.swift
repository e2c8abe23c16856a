import CKernels
import TestSupport
import Testing

@testable import TensorKernels

/// Every instruction set must give the same bits, and the bits of a plain reference within rounding.
@Suite(.serialized) struct KernelPathTests {
    private func onEveryPath(_ body: () -> [Float]) -> [[Float]] {
        defer { vk_isa_force(vk_isa_best()) }
        return (0...vk_isa_best()).map { isa in
            vk_isa_force(isa)
            return body()
        }
    }

    @Test func linearLayerAgreesWithAScalarReferenceAndAcrossPaths() throws {
        var random = SplitMix64(seed: 11)
        try withEvery("rows", in: [1, 3, 12, 13, 50]) { rows in
            try withEvery("outputs", in: [1, 31, 32, 33, 96]) { outputs in
                let inputs = 37
                let x = random.floats(rows * inputs), w = random.floats(outputs * inputs), b = random.floats(outputs)
                let layer = LinearLayer(weight: w, bias: b, outputs: outputs, inputs: inputs)
                let results = onEveryPath { layer(x, rows: rows) }
                var expected: [Float] = []
                for r in 0..<rows {
                    for o in 0..<outputs {
                        let sum = (0..<inputs).reduce(0.0) {
                            $0 + Double(x[r * inputs + $1]) * Double(w[o * inputs + $1])
                        }
                        expected.append(Float(sum + Double(b[o])))
                    }
                }
                // 37 products of numbers below 1: rounding stays below 37 * 37 * 2^-24 = 8e-5; observed below 3e-6.
                for (isa, result) in results.enumerated() {
                    expectClose(result, expected, tolerance: 1e-5, what: "linear layer, path \(isa)")
                    expectSame(
                        result.map(\.bitPattern), results[0].map(\.bitPattern), what: "bits of path \(isa) and plain C")
                }
            }
        }
    }

    @Test func weightsThatBfloat16HoldsAndPackedRowsGiveTheBitsOfFloat32() throws {
        var random = SplitMix64(seed: 12)
        try withEvery("rows", in: [1, 5, 12, 40]) { rows in
            try withEvery("outputs", in: [1, 32, 45, 96]) { outputs in
                // Long rows are taken in runs; an odd count leaves half a pair.
                let inputs = rows == 5 ? 4133 : 37
                let x = random.floats(rows * inputs), b = random.floats(outputs)
                let w = random.floats(outputs * inputs).map { Float(bitPattern: $0.bitPattern & 0xffff_0000) }
                let narrow = PackedWeights(w, outputs: outputs, inputs: inputs)
                let wide = PackedWeights(w, outputs: outputs, inputs: inputs, format: .float32)
                #expect(narrow.format == .bfloat16 && narrow.byteCount * 2 * inputs == wide.byteCount * (inputs + 1))
                #expect(narrow.matrix == w && wide.matrix == w)
                let given = FloatBuffer(x)
                let rowsAsTheyLie = ProductRows(given.pointer, count: rows, width: inputs, stride: inputs)
                let results = [narrow, wide].flatMap { weights in
                    [ProductRows.Layout.asTheyLie, .packed].flatMap { layout in
                        onEveryPath {
                            let y = FloatBuffer.zeros(count: rows * outputs), arranged = rowsAsTheyLie.arranged(layout)
                            weights.multiply(
                                arranged, bias: b, into: y.pointer, blocks: 0..<arranged.blockCount,
                                panels: 0..<weights.panelCount)
                            return y.array
                        }
                    }
                }
                for result in results {
                    expectSame(result.map(\.bitPattern), results[0].map(\.bitPattern), what: "bits in either format")
                }
                // One chain of fused multiply-adds over ascending inputs, then the bias.
                let chains = (0..<rows * outputs).map { place in
                    let (row, output) = (place / outputs, place % outputs)
                    return (0..<inputs).reduce(Float(0)) {
                        $0.addingProduct(x[row * inputs + $1], w[output * inputs + $1])
                    }
                        + b[output]
                }
                expectSame(results[0].map(\.bitPattern), chains.map(\.bitPattern), what: "bits of the definition")
            }
        }
        var w = [Float](repeating: 1.5, count: 64)
        w[63] += 0x1p-20
        #expect(PackedWeights(w, outputs: 8, inputs: 8).format == .float32, "one number that does not fit")
        w[63] = -.infinity
        #expect(PackedWeights(w, outputs: 8, inputs: 8).matrix == w)
    }

    /// Inside a task, where parallel work runs on the one thread for which the path is forced.
    @Test(arguments: [1, 3]) func convolutionsGiveTheSameBitsOnEveryPath(side: Int) throws {
        var random = SplitMix64(seed: 14)
        try withEvery("size", in: [(1, 1), (2, 3), (9, 12), (16, 31)]) { height, width in
            try withEvery("channels", in: [(3, 3), (16, 32), (45, 70)]) { inputs, outputs in
                let layer = Convolution(
                    weight: random.floats(outputs * inputs * side * side), bias: random.floats(outputs),
                    outputs: outputs, inputs: inputs, kernelSide: side)
                let map = FloatBuffer(random.floats(height * width * inputs))
                nonisolated(unsafe) var results: [[Float]] = []
                Parallel.forEach(parts: 2) { part in
                    guard part == 0 else { return }
                    results = onEveryPath {
                        let y = FloatBuffer.zeros(count: height * width * outputs)
                        let input = Convolution.Input(map.pointer, height: height, width: width)
                        layer(input, into: y.pointer)
                        layer(input, into: y.pointer, adding: true)
                        return y.array
                    }
                }
                #expect(results.count > 1 || vk_isa_best() == 0)
                for (isa, result) in results.enumerated() {
                    expectSame(result.map(\.bitPattern), results[0].map(\.bitPattern), what: "bits of path \(isa)")
                }
            }
        }
    }

    @Test func rowsDoNotDependOnTheirNeighbours() throws {
        var random = SplitMix64(seed: 5)
        let layer = LinearLayer(weight: random.floats(64 * 48), bias: nil, outputs: 64, inputs: 48)
        let x = random.floats(300 * 48)
        let all = layer(x, rows: 300)
        for row in [0, 1, 150, 299] {
            let one = layer(Array(x[(row * 48)..<((row + 1) * 48)]), rows: 1)
            expectSame(
                one.map(\.bitPattern), all[(row * 64)..<((row + 1) * 64)].map(\.bitPattern), what: "row \(row) alone")
        }
    }

    @Test func rowKernelsGiveTheSameBitsOnEveryPath() throws {
        var random = SplitMix64(seed: 9)
        try withEvery("width", in: [7, 16, 45, 128]) { width in
            let x = random.floats(5 * width, in: -20...20), w = random.floats(width), b = random.floats(width)
            let results = onEveryPath {
                let y = FloatBuffer.zeros(count: x.count), z = FloatBuffer(x), g = FloatBuffer(x)
                Kernels.layerNormModulated(x, rows: 5, width: width, scale: w, shift: b, into: y.pointer)
                Kernels.softmaxRows(z.pointer, rows: 5, width: width)
                Kernels.geluTanh(g.pointer, count: x.count)
                Kernels.l2Normalise(g.pointer, rows: 5, width: width, factor: 3)
                return y.array + z.array + g.array
            }
            for (isa, result) in results.enumerated() {
                expectSame(result.map(\.bitPattern), results[0].map(\.bitPattern), what: "bits of path \(isa)")
            }
        }
    }

    /// Turning pairs, products and the search for what is not finite, against plain loops.
    @Test func elementKernelsGiveTheBitsOfPlainLoopsOnEveryPath() throws {
        var random = SplitMix64(seed: 17)
        try withEvery("width", in: [2, 6, 32, 36, 64, 70, 128]) { width in
            let x = random.floats(3 * width), c = random.floats(3 * width / 2), s = random.floats(3 * width / 2)
            let turned = c.indices.flatMap { pair -> [Float] in
                let (a, b) = (x[2 * pair], x[2 * pair + 1])
                return [c[pair] * a - s[pair] * b, s[pair] * a + c[pair] * b]
            }
            let multiplied = c.indices.map { c[$0] * s[$0] }
            let results = onEveryPath {
                let y = FloatBuffer(x), z = FloatBuffer(c)
                Kernels.rope(y.pointer, rows: 3, width: width, cosines: c, sines: s)
                Kernels.multiply(z.pointer, s, count: z.count)
                return y.array + z.array
            }
            for (isa, result) in results.enumerated() {
                expectSame(
                    result.map(\.bitPattern), (turned + multiplied).map(\.bitPattern), what: "bits of path \(isa)")
            }
            for (place, wrong) in [(0, Float.nan), (x.count - 1, .infinity), (x.count / 2, -.infinity)] {
                var values = x
                values[place] = wrong
                let found = onEveryPath {
                    [Kernels.allFinite(x, count: x.count), Kernels.allFinite(values, count: x.count)].map {
                        $0 ? 1 : 0
                    }
                }
                #expect(found.allSatisfy { $0 == [1, 0] }, "\(wrong) at \(place)")
            }
        }
    }

    /// The sums of a group norm are one chain of additions a group, however many groups go together.
    @Test func groupSumsAreOneChainOfAdditionsAGroup() throws {
        var random = SplitMix64(seed: 19)
        try withEvery("channels of a group", in: [1, 2, 3, 4, 5, 7, 8, 10, 16, 20]) { each in
            try withEvery("groups", in: [1, 7, 8, 9, 32]) { groups in
                try withEvery("pixels", in: [1, 2, 63, 64, 65, 130]) { pixels in
                    let channels = each * groups
                    // A buffer that ends with the last value, so that a sanitiser sees what is read past it.
                    let x = FloatBuffer(random.floats(pixels * channels, in: -3...3))
                    let mean = (0..<groups).map { _ in Double(random.float()) }
                    var plain = [Double](repeating: 0, count: 2 * groups)
                    for place in 0..<(pixels * channels) {
                        let group = place % channels / each, value = Double(x.pointer[place])
                        plain[group] += value
                        plain[groups + group] += (value - mean[group]) * (value - mean[group])
                    }
                    defer { vk_isa_force(vk_isa_best()) }
                    for isa in 0...vk_isa_best() {
                        vk_isa_force(isa)
                        var sums = [Double](repeating: .nan, count: 2 * groups)
                        sums.withUnsafeMutableBufferPointer {
                            vk_group_sums(x.pointer, pixels, channels, groups, nil, $0.baseAddress)
                            vk_group_sums(
                                x.pointer, pixels, channels, groups, mean, $0.baseAddress.map { $0 + groups })
                        }
                        expectSame(
                            sums.map(\.bitPattern), plain.map(\.bitPattern), what: "bits of sums on path \(isa)")
                    }
                }
            }
        }
    }

    @Test func blasAgreesWithThePackedKernels() throws {
        var random = SplitMix64(seed: 13)
        let x = random.floats(20 * 64), w = random.floats(40 * 64)
        let packed = LinearLayer(weight: w, bias: nil, outputs: 40, inputs: 64)(x, rows: 20)
        let result = FloatBuffer.zeros(count: 20 * 40)
        vk_gemm_blas(x, 64, 20, 64, w, 40, nil, result.pointer, 40)
        // BLAS reorders the sum of 64 products below 1: a few ulp of 8.
        expectClose(packed, result.array, tolerance: 2e-5, what: "packed against BLAS")
    }

    @Test func parallelRunsEveryPartOnce() throws {
        try withEvery("threads", in: [1, 2, 4]) { threads in
            let before = Parallel.threadCount
            Parallel.setThreadCount(threads)
            defer { Parallel.setThreadCount(before) }
            for parts in [0, 1, 2, 7, 1000] {
                let counts = FloatBuffer.zeros(count: max(parts, 1))
                Parallel.forEach(parts: parts) { counts.pointer[$0] += 1 }
                #expect(counts.array.prefix(parts).allSatisfy { $0 == 1 })
            }
        }
    }
}
