/// One axis of a linear resize as a sparse matrix: output `d` is the sum of `weight * input[index]` over its taps.
///
/// The three kinds are those of the official code (`models.md` section 1): none is corner-aligned, none is antialiased.
public struct ResizeMatrix: Sendable {
    /// One input that contributes to an output.
    public struct Tap: Sendable, Hashable {
        public let index: Int
        public let weight: Float
    }
    /// Input size.
    public let inputs: Int
    /// Taps of each output, ascending in index; repeated (clamped) indices are summed.
    public let rows: [[Tap]]

    private init(inputs: Int, rows: [[Tap]]) {
        self.inputs = inputs
        self.rows = rows.map { taps in
            var merged: [Int: Float] = [:]
            for tap in taps { merged[tap.index, default: 0] += tap.weight }
            return merged.sorted { $0.key < $1.key }.filter { $0.value != 0 }.map {
                Tap(index: $0.key, weight: $0.value)
            }
        }
    }

    /// Bilinear: `src = max((dst + 0.5) * in/out - 0.5, 0)`, two neighbours, also when shrinking.
    public static func bilinear(from inputs: Int, to outputs: Int) -> ResizeMatrix {
        let scale = Float(inputs) / Float(outputs)
        return ResizeMatrix(
            inputs: inputs,
            rows: (0..<outputs).map { d in
                let source = max((Float(d) + 0.5) * scale - 0.5, 0)
                let low = min(Int(source), inputs - 1), high = min(low + 1, inputs - 1)
                let weight = source - Float(low)
                return [Tap(index: low, weight: 1 - weight), Tap(index: high, weight: weight)]
            })
    }

    /// Bicubic with a = -0.75, source position not clamped, indices clamped to the edge.
    public static func bicubic(from inputs: Int, to outputs: Int) -> ResizeMatrix {
        let a: Float = -0.75
        func near(_ x: Float) -> Float { ((a + 2) * x - (a + 3)) * x * x + 1 }
        func far(_ x: Float) -> Float { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
        let scale = Float(inputs) / Float(outputs)
        return ResizeMatrix(
            inputs: inputs,
            rows: (0..<outputs).map { d in
                let source = (Float(d) + 0.5) * scale - 0.5
                let base = source.rounded(.down)
                let t = source - base
                let weights = [far(t + 1), near(t), near(1 - t), far(2 - t)]
                return weights.enumerated().map { offset, weight in
                    Tap(index: min(max(Int(base) - 1 + offset, 0), inputs - 1), weight: weight)
                }
            })
    }

    /// Area (adaptive average pooling): the mean of inputs `floor(d in/out) ..< ceil((d+1) in/out)`.
    public static func area(from inputs: Int, to outputs: Int) -> ResizeMatrix {
        ResizeMatrix(
            inputs: inputs,
            rows: (0..<outputs).map { d in
                let first = d * inputs / outputs, last = ((d + 1) * inputs + outputs - 1) / outputs
                return (first..<last).map { Tap(index: $0, weight: 1 / Float(last - first)) }
            })
    }

    /// The matrix `[outputs, inputs]`, dense, row-major.
    public var dense: [Float] {
        var result = [Float](repeating: 0, count: rows.count * inputs)
        for (row, taps) in rows.enumerated() { for tap in taps { result[row * inputs + tap.index] = tap.weight } }
        return result
    }

    /// Scratch that ``apply(vertical:horizontal:channels:_:into:accumulate:scratch:)`` needs, in float32 values.
    public static func scratchCount(vertical: ResizeMatrix, horizontal: ResizeMatrix, channels: Int) -> Int {
        vertical.inputs * horizontal.rows.count * channels
    }

    /// Resizes a channels-last map `[h, w, C]` to `[vertical.rows, horizontal.rows, C]`: `result += resized` if
    /// `accumulate`, else `result = resized`. Columns first, then rows, as the official separable form.
    public static func apply(
        vertical: ResizeMatrix, horizontal: ResizeMatrix, channels: Int, _ x: UnsafePointer<Float>,
        into result: UnsafeMutablePointer<Float>, accumulate: Bool, scratch wide: UnsafeMutablePointer<Float>
    ) {
        let h = vertical.inputs, w = horizontal.inputs, outW = horizontal.rows.count, rowLength = outW * channels
        wide.update(repeating: 0, count: h * rowLength)
        for y in 0..<h {
            for (column, taps) in horizontal.rows.enumerated() {
                let to = wide + (y * outW + column) * channels
                for tap in taps {
                    let from = x + (y * w + tap.index) * channels
                    for c in 0..<channels { to[c] += tap.weight * from[c] }
                }
            }
        }
        for (row, taps) in vertical.rows.enumerated() {
            let to = result + row * rowLength
            if !accumulate { to.update(repeating: 0, count: rowLength) }
            for tap in taps {
                let from = wide + tap.index * rowLength
                for i in 0..<rowLength { to[i] += tap.weight * from[i] }
            }
        }
    }
}
