import TestSupport
import Testing
import VernierCore

@testable import TensorKernels

/// Products of bfloat16 pairs; only where the processor has them.
@Suite(.serialized, .enabled(if: Arithmetic.bfloat16.isSupported)) struct BFloat16ArithmeticTests {
    /// Odd and even widths, outputs that fill panels and that do not, every row count of a block and beyond.
    @Test(arguments: [(1, 1), (33, 7), (32, 64), (70, 515), (96, 1030), (40, 4133)])
    func productsAreThoseOfRoundedFactors(outputs: Int, inputs: Int) throws {
        var random = SplitMix64(seed: 9)
        let weight = random.floats(outputs * inputs), bias = random.floats(outputs)
        let layer = LinearLayer(
            weight: weight, bias: bias, outputs: outputs, inputs: inputs, arithmetic: .bfloat16)
        for rows in [1, 2, 3, 5, 7, 11, 12, 13, 25] {
            let stride = inputs + 3, x = random.floats(rows * stride)
            let y = FloatBuffer(count: rows * outputs)
            layer(x, rows: rows, into: y.pointer, inputStride: stride)
            var excess = -Double.infinity
            for row in 0..<rows {
                for output in 0..<outputs {
                    var sum = 0.0, size = 0.0
                    for i in 0..<inputs {
                        let factor = nearestBFloat16(weight[output * inputs + i])
                        let product = nearestBFloat16(x[row * stride + i]) * factor
                        sum += product
                        size += abs(product)
                    }
                    // Sums in float32: at most one rounding a product of the partial sums.
                    let bound = size * Double(inputs) * 0x1p-24 + 1e-6
                    let found = Double(y.pointer[row * outputs + output])
                    excess = max(excess, abs(found - sum - Double(bias[output])) - bound)
                }
            }
            #expect(excess <= 0, "\(rows) rows")
        }
    }

    /// What rounding costs is within what is stated: 2^-7 of the sum of the products' magnitudes, and not nothing.
    @Test func theErrorIsWithinWhatIsStated() throws {
        var random = SplitMix64(seed: 10)
        let inputs = 300, weight = random.floats(40 * inputs), x = random.floats(20 * inputs)
        let exact = LinearLayer(weight: weight, bias: nil, outputs: 40, inputs: inputs, arithmetic: .float32)(
            x, rows: 20)
        let coarse = LinearLayer(weight: weight, bias: nil, outputs: 40, inputs: inputs, arithmetic: .bfloat16)(
            x, rows: 20)
        var largest: Float = 0, excess = -Float.infinity
        for row in 0..<20 {
            for output in 0..<40 {
                let size = (0..<inputs).reduce(Float(0)) {
                    $0 + abs(x[row * inputs + $1] * weight[output * inputs + $1])
                }
                let error = abs(exact[row * 40 + output] - coarse[row * 40 + output])
                excess = max(excess, error - size / 128)
                largest = max(largest, error)
            }
        }
        #expect(excess <= 0)
        #expect(largest > 1e-4, "the products are rounded at all")
    }

    /// The worst case: both factors lie just below the middle between 1 and the next bfloat16 number.
    @Test func theStatedErrorIsReached() throws {
        let factor = Float(bitPattern: 0x3F80_7FFF)
        let layer = LinearLayer(weight: [factor], bias: nil, outputs: 1, inputs: 1, arithmetic: .bfloat16)
        let error = factor * factor - layer([factor], rows: 1)[0]
        #expect(error > 0x1.fp-8 && error < factor * factor / 128)
    }

    /// A 3x3 convolution rounds what Winograd's products multiply: tiles of 4x4 transformed by B, weights by G. Every output
    /// is within what rounding each factor by 2^-8 of itself can do, and what is rounded is rounded at all.
    @Test(arguments: [false, true]) func convolutionsRoundTransformedFactors(adding: Bool) throws {
        var random = SplitMix64(seed: 12)
        let (inputs, outputs, height, width) = (5, 37, 9, 11)
        let weight = random.floats(outputs * inputs * 9), bias = random.floats(outputs)
        let map = FloatBuffer(random.floats(height * width * inputs)), before = random.floats(height * width * outputs)
        func run(_ arithmetic: Arithmetic) -> [Float] {
            let layer = Convolution(
                weight: weight, bias: bias, outputs: outputs, inputs: inputs, kernelSide: 3, arithmetic: arithmetic)
            let y = FloatBuffer(before)
            layer(Convolution.Input(map.pointer, height: height, width: width), into: y.pointer, adding: adding)
            return y.array
        }
        let exact = run(.float32), coarse = run(.bfloat16)
        let b: [[Double]] = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
        let g: [[Double]] = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
        let a: [[Double]] = [[1, 1, 1, 0], [0, 1, 1, 1]]  // magnitudes
        func transformed(_ m: [[Double]], _ value: (Int, Int) -> Double) -> [[Double]] {
            (0..<4).map { i in
                (0..<4).map { j in
                    var sum = 0.0
                    for y in m[i].indices { for x in m[j].indices { sum += m[i][y] * m[j][x] * value(y, x) } }
                    return sum
                }
            }
        }
        var excess = -Double.infinity, largest: Float = 0
        for row in 0..<height {
            for column in 0..<width {
                for output in 0..<outputs {
                    var size = 0.0
                    for input in 0..<inputs {
                        let tile = transformed(b) { y, x in
                            let (sy, sx) = (row / 2 * 2 - 1 + y, column / 2 * 2 - 1 + x)
                            guard (0..<height).contains(sy), (0..<width).contains(sx) else { return 0 }
                            return Double(map.pointer[(sy * width + sx) * inputs + input])
                        }
                        let taps = transformed(g) { y, x in
                            Double(weight[((output * inputs + input) * 3 + y) * 3 + x])
                        }
                        for i in 0..<4 {
                            for j in 0..<4 { size += a[row % 2][i] * a[column % 2][j] * abs(tile[i][j] * taps[i][j]) }
                        }
                    }
                    let place = (row * width + column) * outputs + output, error = abs(exact[place] - coarse[place])
                    excess = max(excess, Double(error) - size * 0x1.01p-7 - 1e-5)
                    largest = max(largest, error)
                }
            }
        }
        #expect(excess <= 0)
        #expect(largest > 1e-3)
    }

    @Test func bitsDependNeitherOnRowsNorOnThreads() throws {
        var random = SplitMix64(seed: 11)
        let inputs = 513, outputs = 200, rows = 230, x = random.floats(rows * inputs)
        let layer = LinearLayer(
            weight: random.floats(outputs * inputs), bias: random.floats(outputs), outputs: outputs, inputs: inputs,
            arithmetic: .bfloat16)
        let together = layer(x, rows: rows)
        let threads = Parallel.threadCount
        defer { Parallel.setThreadCount(threads) }
        for count in [1, 2, 3] {
            Parallel.setThreadCount(count)
            expectSame(layer(x, rows: rows), together, what: "\(count) threads")
            for row in [0, 11, 12, 229] {
                expectSame(
                    layer(Array(x[(row * inputs)..<((row + 1) * inputs)]), rows: 1),
                    Array(together[(row * outputs)..<((row + 1) * outputs)]), what: "row \(row) alone")
            }
        }
    }
}
