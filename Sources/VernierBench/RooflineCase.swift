import TensorKernels
import VernierCore

/// What the machine can do at most: the packed product on operands that stay in a core's cache, and reading memory.
struct RooflineCase {
    private let layers: [(variant: String, layer: LinearLayer)]
    private let input: FloatBuffer
    private let output: FloatBuffer
    private let block: FloatBuffer
    private static let rows = 96, inputs = 512, outputs = 512, repeats = 24

    init() {
        // Ones fit bfloat16, thirds do not.
        let variants: [(String, Float, Arithmetic)] = [
            ("float32", 1 / 3, .float32), ("bfloat16", 1, .float32), ("bfloat16 dots", 1, .bfloat16),
        ]
        layers = variants.filter(\.2.isSupported).map { variant, value, arithmetic in
            let weight = [Float](repeating: value, count: Self.inputs * Self.outputs)
            let layer = LinearLayer(
                weight: weight, bias: nil, outputs: Self.outputs, inputs: Self.inputs, arithmetic: arithmetic)
            return (variant, layer)
        }
        let most = Parallel.threadCount
        input = FloatBuffer.zeros(count: Self.rows * Self.inputs)
        output = FloatBuffer.zeros(count: most * Self.rows * Self.outputs)
        block = FloatBuffer.zeros(count: 1 << 27)
    }

    func run() -> [Sample] {
        let threads = Parallel.threadCount, (rows, inputs, outputs) = (Self.rows, Self.inputs, Self.outputs)
        let products = layers.map { variant, layer in
            // Every thread has a product of its own: a nested call runs serially.
            let seconds = Stopwatch.secondsEach {
                Parallel.forEach(parts: threads) { part in
                    for _ in 0..<Self.repeats {
                        layer(self.input.pointer, rows: rows, into: self.output.pointer + part * rows * outputs)
                    }
                }
            }
            return Sample(
                name: "packed product in cache", variant: variant, seconds: seconds,
                operations: Double(threads * Self.repeats) * 2 * Double(rows * inputs * outputs))
        }
        let parts = 4 * threads, each = block.count / parts
        let reading = Stopwatch.secondsEach {
            Parallel.forEach(parts: parts) { part in
                precondition(Kernels.allFinite(self.block.pointer + part * each, count: each), "zeros are finite")
            }
        }
        return products + [
            Sample(name: "reading memory", variant: "512 MiB", seconds: reading, bytes: Double(4 * each * parts))
        ]
    }
}
