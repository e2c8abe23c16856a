import CKernels

/// A 3x3 (stride 1, zero padding 1) or 1x1 convolution over channels-last maps, as a matrix product of patches.
///
/// Maps are `[height * width, channels]`. What stands before the convolution, a group norm with SiLU or a doubling of the
/// map, is done strip by strip as patches are built, so that no map of it is ever held: the extra memory is a few rows
/// of the map and 48 patches a thread. Bits depend neither on the strips nor on the thread count. In bfloat16 arithmetic
/// (``Arithmetic``) weights and patches are rounded.
public final class Convolution: @unchecked Sendable {
    /// A map, and what is done to it before it is convolved.
    public struct Input {
        /// `[height * width, channels]`.
        let map: UnsafePointer<Float>
        let height: Int
        let width: Int
        let norm: GroupNormFactors?
        let doubles: Bool

        /// A map as it is; with `norm`, normalised and through SiLU.
        public init(_ map: UnsafePointer<Float>, height: Int, width: Int, norm: GroupNormFactors? = nil) {
            self.init(map, height: height, width: width, norm: norm, doubles: false)
        }

        /// A map twice as high and wide, every pixel four times.
        public static func doubled(_ map: UnsafePointer<Float>, height: Int, width: Int) -> Input {
            Input(map, height: height, width: width, norm: nil, doubles: true)
        }

        private init(_ map: UnsafePointer<Float>, height: Int, width: Int, norm: GroupNormFactors?, doubles: Bool) {
            self.map = map
            self.height = height
            self.width = width
            self.norm = norm
            self.doubles = doubles
        }

        /// The size of what is convolved.
        var outputHeight: Int { doubles ? 2 * height : height }
        var outputWidth: Int { doubles ? 2 * width : width }
        var isPlain: Bool { norm == nil && !doubles }

        /// Writes rows of what is convolved to `target`.
        func fill(_ rows: Range<Int>, channels: Int, into target: UnsafeMutablePointer<Float>) {
            if let norm {
                norm.apply(
                    map + rows.lowerBound * width * channels, pixels: rows.count * width, thenSilu: true, into: target)
                return
            }
            for (place, row) in rows.enumerated() {
                let from = map + row / 2 * width * channels, to = target + place * outputWidth * channels
                for column in 0..<outputWidth {
                    (to + column * channels).update(from: from + column / 2 * channels, count: channels)
                }
            }
        }
    }

    /// Input channels.
    public let inputs: Int
    /// Output channels.
    public let outputs: Int
    /// 1 or 3.
    public let kernelSide: Int
    private let weights: PackedWeights
    private let bias: FloatBuffer
    /// Patches that are multiplied at once.
    private static let tileRows = 48
    /// What a strip of what is convolved may hold, roughly.
    private static let stripValues = 1 << 20

    /// Packs `weight` `[outputs, inputs, side, side]` (cross-correlation, as in checkpoints) and `bias` `[outputs]`.
    /// - Precondition: the counts match the shape, `kernelSide` is 1 or 3, this machine has the arithmetic.
    public init(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int, kernelSide: Int, arithmetic: Arithmetic = .current
    ) {
        precondition(kernelSide == 1 || kernelSide == 3, "kernelSide is 1 or 3")
        let taps = kernelSide * kernelSide
        precondition(weight.count == outputs * inputs * taps && bias.count == outputs, "counts match the shape")
        self.inputs = inputs
        self.outputs = outputs
        self.kernelSide = kernelSide
        // Checkpoint order is (out, in, ky, kx); the patches are (ky, kx, in).
        var reordered = [Float](repeating: 0, count: weight.count)
        for o in 0..<outputs {
            for i in 0..<inputs {
                for t in 0..<taps { reordered[(o * taps + t) * inputs + i] = weight[(o * inputs + i) * taps + t] }
            }
        }
        weights = PackedWeights(reordered, outputs: outputs, inputs: taps * inputs, arithmetic: arithmetic)
        self.bias = FloatBuffer(bias)
    }

    /// Applies the convolution to `x` `[height * width, inputs]`, writing `y` `[height * width, outputs]`.
    public func callAsFunction(
        _ x: UnsafePointer<Float>, height: Int, width: Int, into y: UnsafeMutablePointer<Float>
    ) { self(Input(x, height: height, width: width), into: y) }

    /// Applies the convolution, writing `y` `[pixels, outputs]` or, with `adding`, adding to what stands there.
    /// - Precondition: `y` is not the input's map.
    public func callAsFunction(_ input: Input, into y: UnsafeMutablePointer<Float>, adding: Bool = false) {
        let height = input.outputHeight, rowValues = input.outputWidth * inputs
        let rowsEach = max(
            Self.stripValues / max(rowValues, 1), (Self.tileRows + input.outputWidth - 1) / input.outputWidth, 1)
        let parts = max((height + rowsEach - 1) / rowsEach, min(height, 4 * Parallel.threadCount))
        let most = (height + parts - 1) / parts + 2
        let stripCount = input.isPlain ? 0 : most * rowValues
        let patchCount = kernelSide == 3 ? Self.tileRows * weights.inputs : 0
        let sumCount = adding ? Self.tileRows * outputs : 0
        let isRounded = weights.arithmetic == .bfloat16
        let roundedBytes =
            isRounded ? ProductRows.byteCount(.rounded, count: Self.tileRows, width: weights.inputs) : 0
        nonisolated(unsafe) let (input, y) = (input, y)
        Parallel.forEach(parts: parts) { [self] part in
            let rows = (part * height / parts)..<((part + 1) * height / parts)
            let floatCount = stripCount + patchCount + sumCount
            let strip = ThreadBlock.reserve(byteCount: floatCount * 4 + roundedBytes)
                .bindMemory(to: Float.self, capacity: floatCount)
            let patches = strip + stripCount, sums = patches + patchCount, rounded = sums + sumCount
            convolve(
                input, rows: rows, strip: strip, patches: patches, sums: adding ? sums : nil,
                rounded: isRounded ? UnsafeMutableRawPointer(rounded) : nil, into: y)
        }
    }

    /// Some output rows; `sums` holds a tile that is added to `y`, nil if `y` is written; `rounded` holds the patches of
    /// a tile in bfloat16, nil in float32 arithmetic.
    private func convolve(
        _ input: Input, rows: Range<Int>, strip: UnsafeMutablePointer<Float>, patches: UnsafeMutablePointer<Float>,
        sums: UnsafeMutablePointer<Float>?, rounded: UnsafeMutableRawPointer?, into y: UnsafeMutablePointer<Float>
    ) {
        let width = input.outputWidth, reach = kernelSide / 2
        var source = input.map, held = 0..<input.outputHeight
        if !input.isPlain {
            // The strip ends where the map does, or a row further than what is asked for: patches see the same.
            held = max(rows.lowerBound - reach, 0)..<min(rows.upperBound + reach, input.outputHeight)
            input.fill(held, channels: inputs, into: strip)
            source = UnsafePointer(strip)
        }
        let offset = held.lowerBound * width
        for first in stride(from: rows.lowerBound * width, to: rows.upperBound * width, by: Self.tileRows) {
            let count = min(Self.tileRows, rows.upperBound * width - first)
            var from = source + (first - offset) * inputs
            if kernelSide == 3 {
                vk_patches3x3(source, held.count, width, inputs, first - offset, first - offset + count, patches)
                from = UnsafePointer(patches)
            }
            let given = ProductRows(from, count: count, width: weights.inputs, stride: weights.inputs)
            let tile = rounded.map { given.arranged(.rounded, in: $0) } ?? given
            weights.multiply(
                tile, bias: bias.pointer, into: sums ?? y + first * outputs, blocks: 0..<tile.blockCount,
                panels: 0..<weights.panelCount)
            if let sums { Kernels.addGated(y + first * outputs, sums, rows: count, width: outputs) }
        }
    }
}
