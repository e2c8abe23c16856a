import CKernels
import VernierCore

/// A 3x3 (stride 1, zero padding 1) or 1x1 convolution over channels-last maps.
///
/// Maps are `[height * width, channels]`. 3x3 goes by Winograd's F(2x2, 3x3), with 16 products where the definition has 36:
/// sums come in another order, so the last bits differ from the definition's. What stands before the convolution, a group
/// norm with SiLU or a doubling of the map, is done strip by strip, so that no map of it is ever held: the extra memory is
/// a few rows of the map and some tiles a thread. Bits depend neither on the strips nor on the thread count. In bfloat16
/// arithmetic (``Arithmetic``) what 3x3 multiplies is rounded, transformed weights and transformed tiles; 1x1 is not.
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
    private let pixelWeights: PackedWeights?  // of 1x1
    private let tileWeights: [PackedWeights]  // of 3x3, transformed
    private let tileKernels: [vk_weights]
    private let tileRows: ProductRows.Layout
    private let bias: FloatBuffer
    /// Pixels that a 1x1 convolution multiplies at once.
    private static let pixelsAtOnce = 48
    /// What a strip of what is convolved may hold, and the tiles that are multiplied at once, roughly.
    private static let stripValues = 1 << 20
    private static let mostTilesAtOnce = 96

    /// Packs `weight` `[outputs, inputs, side, side]` (cross-correlation, as in checkpoints) and `bias` `[outputs]`.
    /// - Precondition: the counts match the shape, `kernelSide` is 1 or 3, this machine has the arithmetic.
    public init(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int, kernelSide: Int, arithmetic: Arithmetic = .current
    ) {
        precondition(kernelSide == 1 || kernelSide == 3, "kernelSide is 1 or 3")
        precondition(
            weight.count == outputs * inputs * kernelSide * kernelSide && bias.count == outputs,
            "counts match the shape")
        self.inputs = inputs
        self.outputs = outputs
        self.kernelSide = kernelSide
        self.bias = FloatBuffer(bias)
        pixelWeights = kernelSide == 1 ? PackedWeights(weight, outputs: outputs, inputs: inputs) : nil
        tileRows = arithmetic == .bfloat16 ? .rounded : .asTheyLie
        guard kernelSide == 3 else {
            (tileWeights, tileKernels) = ([], [])
            return
        }
        let count = outputs * inputs, transformed = FloatBuffer(count: Int(VK_WINOGRAD_PRODUCTS) * count)
        vk_winograd_weights(weight, outputs, inputs, transformed.pointer)
        tileWeights = (0..<Int(VK_WINOGRAD_PRODUCTS)).map { product in
            let matrix = UnsafeBufferPointer(start: transformed.pointer + product * count, count: count)
            return PackedWeights(Array(matrix), outputs: outputs, inputs: inputs, arithmetic: arithmetic)
        }
        tileKernels = tileWeights.map(\.kernelWeights)
    }

    /// Applies the convolution to `x` `[height * width, inputs]`, writing `y` `[height * width, outputs]`.
    public func callAsFunction(
        _ x: UnsafePointer<Float>, height: Int, width: Int, into y: UnsafeMutablePointer<Float>
    ) { self(Input(x, height: height, width: width), into: y) }

    /// Applies the convolution, writing `y` `[pixels, outputs]` or, with `adding`, adding to what stands there.
    /// - Precondition: `y` is not the input's map.
    public func callAsFunction(_ input: Input, into y: UnsafeMutablePointer<Float>, adding: Bool = false) {
        // 3x3 works on tiles of 2x2 pixels, so on pairs of rows; what they need goes a row further.
        let side = kernelSide == 3 ? 2 : 1, reach = kernelSide / 2
        let height = input.outputHeight, width = input.outputWidth, rowValues = width * inputs
        let lines = (height + side - 1) / side
        let linesEach = max(
            Self.stripValues / max(side * rowValues, 1), (Self.pixelsAtOnce + side * width - 1) / (side * width), 1)
        let parts = max((lines + linesEach - 1) / linesEach, min(lines, 4 * Parallel.threadCount))
        let mostRows = (lines + parts - 1) / parts * side + 2 * reach
        let stripCount = input.isPlain ? 0 : mostRows * rowValues
        let tiles = tilesAtOnce
        let sumCount = kernelSide == 1 && adding ? Self.pixelsAtOnce * outputs : 0
        let scratchBytes = 4 * (stripCount + sumCount) + (kernelSide == 3 ? tileBytes(tiles) : 0)
        nonisolated(unsafe) let (input, y) = (input, y)
        Parallel.forEach(parts: parts) { [self] part in
            let lines = (part * lines / parts)..<((part + 1) * lines / parts)
            let strip = ThreadBlock.reserve(byteCount: scratchBytes).bindMemory(
                to: Float.self, capacity: scratchBytes / 4)
            let scratch = strip + stripCount
            let rows = (side * lines.lowerBound)..<min(side * lines.upperBound, height)
            var source = input.map, held = 0..<height
            if !input.isPlain {
                // The strip ends where the map does, or a row further than what is asked for: tiles see the same.
                held = max(rows.lowerBound - reach, 0)..<min(rows.upperBound + reach, height)
                input.fill(held, channels: inputs, into: strip)
                source = UnsafePointer(strip)
            }
            if let pixelWeights {
                convolvePixels(
                    (rows.lowerBound * width)..<(rows.upperBound * width), weights: pixelWeights,
                    source: source - held.lowerBound * rowValues, sums: adding ? scratch : nil, into: y)
            } else {
                let across = (width + 1) / 2
                let first = lines.lowerBound * across, last = lines.upperBound * across
                tileKernels.withUnsafeBufferPointer { kernels in
                    var convolution = vk_winograd(
                        x: source, first_row: held.lowerBound, height: height, width: width, inputs: inputs,
                        outputs: outputs, weights: kernels.baseAddress, rows: tileRows.kernelValue,
                        bias: bias.pointer, y: y, adds: adding ? 1 : 0)
                    for tile in stride(from: first, to: last, by: tiles) {
                        vk_winograd_run(&convolution, tile, min(tile + tiles, last), scratch)
                    }
                }
            }
        }
    }

    private func tileBytes(_ tiles: Int) -> Int {
        vk_winograd_scratch_bytes(tileRows.kernelValue, inputs, outputs, tiles)
    }

    /// As many tiles as keep their transforms within ``stripValues``, whole blocks of the packed kernels.
    private var tilesAtOnce: Int {
        let most = 4 * Self.stripValues / tileBytes(1)
        return min(max(most / 12 * 12, 12), Self.mostTilesAtOnce)
    }

    /// Some pixels of a 1x1 convolution; `sums` holds what is added to `y`, nil if `y` is written.
    private func convolvePixels(
        _ pixels: Range<Int>, weights: PackedWeights, source: UnsafePointer<Float>,
        sums: UnsafeMutablePointer<Float>?, into y: UnsafeMutablePointer<Float>
    ) {
        for first in stride(from: pixels.lowerBound, to: pixels.upperBound, by: Self.pixelsAtOnce) {
            let count = min(Self.pixelsAtOnce, pixels.upperBound - first)
            let rows = ProductRows(source + first * inputs, count: count, width: inputs, stride: inputs)
            weights.multiply(
                rows, bias: bias.pointer, into: sums ?? y + first * outputs, blocks: 0..<rows.blockCount,
                panels: 0..<weights.panelCount)
            if let sums { Kernels.addGated(y + first * outputs, sums, rows: count, width: outputs) }
        }
    }
}
