import ProfileFormat
import TensorKernels

/// The image so far as the tokeniser sees it: codes of all finished scales, summed on the final grid
/// (`models.md` section 3.7). Channels last.
public struct ResidualCode: Sendable {
    /// The sum `[Hf, Wf, d]`, channels last, on the tokeniser's final grid.
    public private(set) var values: [Float]
    private let shape: InfinityShape
    private let upVertical: [ResizeMatrix]
    private let upHorizontal: [ResizeMatrix]
    private let downVertical: [ResizeMatrix]
    private let downHorizontal: [ResizeMatrix]

    /// Starts from zero.
    public init(shape: InfinityShape) {
        self.shape = shape
        let final = shape.codeGrid, factor = shape.spatialPatchify ? 2 : 1
        values = Array(repeating: 0, count: final.height * final.width * shape.tokenizerBits)
        let heights = shape.schedule.grids.map { $0.height * factor },
            widths = shape.schedule.grids.map { $0.width * factor }
        upVertical = heights.map { .bilinear(from: $0, to: final.height) }
        upHorizontal = widths.map { .bilinear(from: $0, to: final.width) }
        downVertical = heights.map { .bilinear(from: final.height, to: $0) }
        downHorizontal = widths.map { .bilinear(from: final.width, to: $0) }
    }

    /// Sets the sum back to zero for the next image.
    public mutating func reset() {
        for index in values.indices { values[index] = 0 }
    }

    /// Adds a scale's bits `[n_k, D]` (0 or 1): code `(2 bit - 1) / sqrt(d)`, enlarged bilinearly to the final grid.
    public mutating func add(bits: [UInt8], scale: Int) {
        let grid = shape.schedule.grids[scale], magnitude = 1 / Float(shape.tokenizerBits).squareRoot()
        var code = bits.map { $0 == 0 ? -magnitude : magnitude }
        if shape.spatialPatchify {
            code = ChannelShuffle.pixelShuffle(code, height: grid.height, width: grid.width, channels: shape.bits)
        }
        if scale == shape.schedule.scaleCount - 1 {
            for index in values.indices { values[index] += code[index] }
        } else {
            values.withUnsafeMutableBufferPointer { values in
                guard let sum = values.baseAddress else { return }
                ResizeMatrix.apply(
                    vertical: upVertical[scale], horizontal: upHorizontal[scale], channels: shape.tokenizerBits, code,
                    into: sum, accumulate: true)
            }
        }
    }

    /// The transformer's input `[n_k, D]` for scale k: the sum, resized bilinearly to that scale's grid.
    public func input(scale: Int) -> [Float] {
        let grid = shape.schedule.grids[scale]
        var result = [Float](repeating: 0, count: grid.tokenCount * shape.bits)
        result.withUnsafeMutableBufferPointer {
            guard let to = $0.baseAddress else { return }
            ResizeMatrix.apply(
                vertical: downVertical[scale], horizontal: downHorizontal[scale], channels: shape.tokenizerBits, values,
                into: to, accumulate: false)
        }
        guard shape.spatialPatchify else { return result }
        return ChannelShuffle.pixelUnshuffle(result, height: grid.height, width: grid.width, channels: shape.bits)
    }
}
