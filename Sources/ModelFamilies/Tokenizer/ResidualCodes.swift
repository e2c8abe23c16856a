import ProfileFormat
import TensorKernels

/// A batch of images so far as the tokeniser sees them: codes of all finished scales, summed on the final grid
/// (`models.md` sections 2.4 and 3.7). Channels last.
///
/// Allocated once for a batch size; nothing is allocated per scale or image.
public final class ResidualCodes {
    /// How codes are brought to the final grid and back.
    enum Resizing {
        /// Infinity.
        case bilinear
        /// VAR: bicubic when enlarging, area when shrinking.
        case bicubicAndArea

        func enlarging(from inputs: Int, to outputs: Int) -> ResizeMatrix {
            self == .bilinear ? .bilinear(from: inputs, to: outputs) : .bicubic(from: inputs, to: outputs)
        }
        func shrinking(from inputs: Int, to outputs: Int) -> ResizeMatrix {
            self == .bilinear ? .bilinear(from: inputs, to: outputs) : .area(from: inputs, to: outputs)
        }
    }

    /// Images B of the batch.
    public let images: Int
    /// Channels of a token: d, or 4 d with patches.
    public let tokenChannels: Int
    private let sums: FloatBuffer  // [B, Hf, Wf, d]
    private let schedule: ScaleSchedule
    private let channels: Int  // d
    private let patchifies: Bool
    private let convolutions: ResidualConvolutions?
    private let final: ScaleSchedule.Grid  // of the tokeniser
    private let upVertical: [ResizeMatrix]
    private let upHorizontal: [ResizeMatrix]
    private let downVertical: [ResizeMatrix]
    private let downHorizontal: [ResizeMatrix]
    // Of one image at a time.
    private let spread: FloatBuffer  // [h, w, d] of a map, with patches
    private let large: FloatBuffer  // [Hf, Wf, d] a map's codes on the final grid, with convolutions
    private let refined: FloatBuffer  // likewise, convolved
    private let resizing: FloatBuffer  // what the resize works in

    /// Starts from zero. With `patchifies` the tokeniser's grids are twice as large on each side, four of its codes
    /// making one token. `convolutions` refine every map's codes on the final grid.
    init(
        images: Int, schedule: ScaleSchedule, channels: Int, resizing: Resizing, patchifies: Bool = false,
        convolutions: ResidualConvolutions? = nil
    ) {
        let factor = patchifies ? 2 : 1, last = schedule.grids[schedule.scaleCount - 1]
        let final = ScaleSchedule.Grid(height: last.height * factor, width: last.width * factor)
        self.images = images
        tokenChannels = patchifies ? 4 * channels : channels
        self.schedule = schedule
        self.channels = channels
        self.patchifies = patchifies
        self.convolutions = convolutions
        self.final = final
        let finalCount = final.tokenCount * channels
        sums = FloatBuffer.zeros(count: images * finalCount)
        let heights = schedule.grids.map { $0.height * factor }, widths = schedule.grids.map { $0.width * factor }
        upVertical = heights.map { resizing.enlarging(from: $0, to: final.height) }
        upHorizontal = widths.map { resizing.enlarging(from: $0, to: final.width) }
        downVertical = heights.map { resizing.shrinking(from: final.height, to: $0) }
        downHorizontal = widths.map { resizing.shrinking(from: final.width, to: $0) }
        let most = schedule.grids.map(\.tokenCount).max() ?? 0
        spread = FloatBuffer(count: patchifies ? most * tokenChannels : 0)
        large = FloatBuffer(count: convolutions == nil ? 0 : finalCount)
        refined = FloatBuffer(count: convolutions == nil ? 0 : finalCount)
        let resizes = zip(upVertical + downVertical, upHorizontal + downHorizontal)
        self.resizing = FloatBuffer(
            count: resizes.map { ResizeMatrix.scratchCount(vertical: $0, horizontal: $1, channels: channels) }.max()
                ?? 0)
    }

    /// Bytes held.
    var byteCount: Int { [sums, spread, large, refined, resizing].reduce(0) { $0 + $1.byteCount } }

    /// The sum `[Hf, Wf, d]` of one image, channels last, on the tokeniser's final grid.
    public func values(image: Int) -> [Float] {
        Array(UnsafeBufferPointer(start: sum(image: image), count: final.tokenCount * channels))
    }

    private func sum(image: Int) -> UnsafeMutablePointer<Float> {
        sums.pointer + image * final.tokenCount * channels
    }

    /// Sets all sums back to zero for the next images.
    func reset() { sums.pointer.update(repeating: 0, count: sums.count) }

    /// Adds a scale's codes `[B, n_k, token channels]`, enlarged to the final grid; the last scale's are not resized.
    func add(_ vectors: UnsafePointer<Float>, scale: Int) {
        let each = schedule.tokenCount(scale) * tokenChannels
        for image in 0..<images { add(vectors + image * each, scale: scale, to: sum(image: image)) }
    }

    private func add(_ vectors: UnsafePointer<Float>, scale: Int, to sum: UnsafeMutablePointer<Float>) {
        let grid = schedule.grids[scale], count = final.tokenCount * channels
        let isLast = scale == schedule.scaleCount - 1
        var codes = vectors
        if patchifies {
            ChannelShuffle.pixelShuffle(
                vectors, height: grid.height, width: grid.width, channels: tokenChannels, into: spread.pointer)
            codes = UnsafePointer(spread.pointer)
        }
        if let convolutions {
            if !isLast {
                enlarge(codes, scale: scale, to: large.pointer, accumulate: false)
                codes = UnsafePointer(large.pointer)
            }
            convolutions.add(codes, grid: final, scale: scale, to: sum, count: count, refined: refined.pointer)
        } else if isLast {
            for index in 0..<count { sum[index] += codes[index] }
        } else {
            enlarge(codes, scale: scale, to: sum, accumulate: true)
        }
    }

    private func enlarge(
        _ codes: UnsafePointer<Float>, scale: Int, to result: UnsafeMutablePointer<Float>, accumulate: Bool
    ) {
        ResizeMatrix.apply(
            vertical: upVertical[scale], horizontal: upHorizontal[scale], channels: channels, codes, into: result,
            accumulate: accumulate, scratch: resizing.pointer)
    }

    /// Writes the transformer's input `[B, n_k, token channels]` for scale k: the sums, resized to that scale's grid.
    func writeInput(scale: Int, into input: UnsafeMutablePointer<Float>) {
        let grid = schedule.grids[scale], each = grid.tokenCount * tokenChannels
        for image in 0..<images {
            let to = input + image * each
            ResizeMatrix.apply(
                vertical: downVertical[scale], horizontal: downHorizontal[scale], channels: channels,
                sum(image: image), into: patchifies ? spread.pointer : to, accumulate: false,
                scratch: resizing.pointer)
            if patchifies {
                ChannelShuffle.pixelUnshuffle(
                    spread.pointer, height: grid.height, width: grid.width, channels: tokenChannels, into: to)
            }
        }
    }
}
