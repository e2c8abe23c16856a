import TensorKernels
import TestSupport
import Testing

/// A convolution against its definition, and what it does on the way against the same done map by map.
@Suite struct ConvolutionTests {
    private struct Map {
        let height: Int
        let width: Int
        let channels: Int
        var values: [Float]

        subscript(row: Int, column: Int, channel: Int) -> Float {
            guard (0..<height).contains(row), (0..<width).contains(column) else { return 0 }
            return values[(row * width + column) * channels + channel]
        }
    }

    private static func map(_ height: Int, _ width: Int, _ channels: Int, _ random: inout SplitMix64) -> Map {
        Map(height: height, width: width, channels: channels, values: random.floats(height * width * channels))
    }

    private static func convolution(_ inputs: Int, _ outputs: Int, side: Int, _ random: inout SplitMix64)
        -> (layer: Convolution, weight: [Float], bias: [Float])
    {
        let weight = random.floats(outputs * inputs * side * side), bias = random.floats(outputs)
        let layer = Convolution(weight: weight, bias: bias, outputs: outputs, inputs: inputs, kernelSide: side)
        return (layer, weight, bias)
    }

    private static func run(_ layer: Convolution, _ map: Map) -> [Float] {
        let y = FloatBuffer(count: map.height * map.width * layer.outputs)
        map.values.withUnsafeBufferPointer {
            if let start = $0.baseAddress { layer(start, height: map.height, width: map.width, into: y.pointer) }
        }
        return y.array
    }

    @Test(arguments: [1, 3]) func agreesWithItsDefinition(side: Int) throws {
        var random = SplitMix64(seed: 21)
        let inputs = 21
        try withEvery("size", in: [(1, 1), (1, 7), (9, 2), (13, 17)]) { height, width in
            let (layer, weight, bias) = Self.convolution(inputs, 35, side: side, &random)
            let map = Self.map(height, width, inputs, &random)
            var expected: [Float] = []
            for row in 0..<height {
                for column in 0..<width {
                    for output in 0..<35 {
                        var sum = Double(bias[output])
                        for input in 0..<inputs {
                            for ky in 0..<side {
                                for kx in 0..<side {
                                    let w = weight[((output * inputs + input) * side + ky) * side + kx]
                                    sum += Double(w) * Double(map[row + ky - side / 2, column + kx - side / 2, input])
                                }
                            }
                        }
                        expected.append(Float(sum))
                    }
                }
            }
            // 189 products of numbers below 1: rounding stays below 189 * 190 * 2^-24 = 2.1e-3; observed below 6e-6.
            expectClose(Self.run(layer, map), expected, tolerance: 2e-5, what: "\(side) x \(side)")
        }
    }

    /// Strips of a wide map end inside it; what they hold must be what the whole map would.
    @Test(arguments: [1, 3]) func normDoublingAndAddingAreTheSameAsMapByMap(side: Int) throws {
        var random = SplitMix64(seed: 22)
        try withEvery("threads", in: [1, 2]) { threads in
            let before = Parallel.threadCount
            Parallel.setThreadCount(threads)
            defer { Parallel.setThreadCount(before) }
            try withEvery("size", in: [(1, 3), (40, 9), (37, 300)]) { height, width in
                let (layer, _, _) = Self.convolution(64, 7, side: side, &random)
                let map = Self.map(height, width, 64, &random), pixels = height * width
                let weight = random.floats(64), bias = random.floats(64)

                var normed = map
                let factors = GroupNormFactors(map.values, pixels: pixels, weight: weight, bias: bias)
                normed.values.withUnsafeMutableBufferPointer {
                    if let to = $0.baseAddress { factors.apply(map.values, pixels: pixels, thenSilu: true, into: to) }
                }
                let inOne = FloatBuffer.zeros(count: pixels * 7), added = FloatBuffer(random.floats(pixels * 7))
                let old = added.array, expected = Self.run(layer, normed)
                map.values.withUnsafeBufferPointer {
                    guard let start = $0.baseAddress else { return }
                    let input = Convolution.Input(start, height: height, width: width, norm: factors)
                    layer(input, into: inOne.pointer)
                    layer(input, into: added.pointer, adding: true)
                }
                expectSame(inOne.array.map(\.bitPattern), expected.map(\.bitPattern), what: "norm and SiLU")
                expectSame(added.array, zip(old, expected).map { $0 + $1 }, what: "added")

                let large = (0..<(4 * pixels)).flatMap { place in
                    let row = place / (2 * width) / 2, column = place % (2 * width) / 2
                    return map.values[((row * width + column) * 64)..<((row * width + column + 1) * 64)]
                }
                let doubled = FloatBuffer(count: 4 * pixels * 7)
                map.values.withUnsafeBufferPointer {
                    guard let start = $0.baseAddress else { return }
                    layer(.doubled(start, height: height, width: width), into: doubled.pointer)
                }
                let whole = Map(height: 2 * height, width: 2 * width, channels: 64, values: large)
                expectSame(
                    doubled.array.map(\.bitPattern), Self.run(layer, whole).map(\.bitPattern), what: "doubled")
            }
        }
    }
}
