import TensorKernels
import VernierCore

/// The linear layers of an Infinity-2B block on the maps of 0.06M, both branches: the first scales and the last.
struct LinearCase {
    private let layers: [(name: String, variant: String, layer: LinearLayer)]
    private let input: FloatBuffer
    private let output: FloatBuffer
    /// Rows of both branches: 1, 36 and 256 tokens.
    private static let rowCounts = [2, 72, 512]

    init() {
        let width = 2048, shapes = [("qkv", width, 3 * width), ("fc1", width, 4 * width), ("fc2", 4 * width, width)]
        let variants: [(String, Float, Arithmetic)] = [
            ("float32", 1 / 3, .float32), ("bfloat16", 1, .float32), ("bfloat16 dots", 1, .bfloat16),
        ]
        layers = variants.filter(\.2.isSupported).flatMap { variant, scale, arithmetic in
            shapes.map { name, inputs, outputs in
                // Whole numbers of a few bits, in bfloat16 exact; thirds of them are not.
                let weight = (0..<(inputs * outputs)).map { Float(($0 * 7919) % 17 - 8) / 256 * scale }
                return (
                    "\(name) \(inputs) -> \(outputs)", variant,
                    LinearLayer(weight: weight, bias: nil, outputs: outputs, inputs: inputs, arithmetic: arithmetic)
                )
            }
        }
        let most = Self.rowCounts.max() ?? 0
        input = FloatBuffer(count: most * 4 * width)
        for place in 0..<input.count { input.pointer[place] = Float(place % 31) / 31 - 0.5 }
        output = FloatBuffer.zeros(count: most * 4 * width)
    }

    func run() -> [Sample] {
        Self.rowCounts.flatMap { rows in
            layers.map { name, variant, layer in
                let seconds = Stopwatch.secondsEach {
                    layer(self.input.pointer, rows: rows, into: self.output.pointer)
                }
                let sides = Double(layer.inputs + layer.outputs) * Double(rows)
                return Sample(
                    name: "\(rows) rows, \(name)", variant: variant, seconds: seconds,
                    operations: 2 * Double(rows) * Double(layer.inputs) * Double(layer.outputs),
                    bytes: Double(layer.byteCount) + 4 * sides)
            }
        }
    }
}
