import ProfileFormat
import TensorKernels

/// The image so far as the tokeniser sees it: codes of all finished scales, summed on the final grid
/// (`models.md` sections 2.4 and 3.7). Channels last.
public struct ResidualCode: Sendable {
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

    /// The sum `[Hf, Wf, d]`, channels last, on the tokeniser's final grid.
    public private(set) var values: [Float]
    private let schedule: ScaleSchedule
    private let channels: Int  // d
    private let patchifies: Bool
    private let convolutions: ResidualConvolutions?
    private let final: ScaleSchedule.Grid  // of the tokeniser
    private let upVertical: [ResizeMatrix]
    private let upHorizontal: [ResizeMatrix]
    private let downVertical: [ResizeMatrix]
    private let downHorizontal: [ResizeMatrix]

    /// Starts from zero. With `patchifies` the tokeniser's grids are twice as large on each side, four of its codes
    /// making one token. `convolutions` refine every map's codes on the final grid.
    init(
        schedule: ScaleSchedule, channels: Int, resizing: Resizing, patchifies: Bool = false,
        convolutions: ResidualConvolutions? = nil
    ) {
        let factor = patchifies ? 2 : 1, last = schedule.grids[schedule.scaleCount - 1]
        let final = ScaleSchedule.Grid(height: last.height * factor, width: last.width * factor)
        self.schedule = schedule
        self.channels = channels
        self.patchifies = patchifies
        self.convolutions = convolutions
        self.final = final
        values = Array(repeating: 0, count: final.tokenCount * channels)
        let heights = schedule.grids.map { $0.height * factor }, widths = schedule.grids.map { $0.width * factor }
        upVertical = heights.map { resizing.enlarging(from: $0, to: final.height) }
        upHorizontal = widths.map { resizing.enlarging(from: $0, to: final.width) }
        downVertical = heights.map { resizing.shrinking(from: final.height, to: $0) }
        downHorizontal = widths.map { resizing.shrinking(from: final.width, to: $0) }
    }

    /// Channels of a token: d, or 4 d with patches.
    private var tokenChannels: Int { patchifies ? 4 * channels : channels }

    /// Sets the sum back to zero for the next image.
    mutating func reset() {
        for index in values.indices { values[index] = 0 }
    }

    /// Adds a scale's codes `[n_k, token channels]`, enlarged to the final grid; the last scale's are not resized.
    mutating func add(_ vectors: [Float], scale: Int) {
        let grid = schedule.grids[scale]
        let codes =
            patchifies
            ? ChannelShuffle.pixelShuffle(vectors, height: grid.height, width: grid.width, channels: tokenChannels)
            : vectors
        let isLast = scale == schedule.scaleCount - 1
        guard let convolutions else {
            if isLast {
                for index in values.indices { values[index] += codes[index] }
            } else {
                enlarge(codes, scale: scale, to: &values, accumulate: true)
            }
            return
        }
        var large = codes
        if !isLast {
            large = [Float](repeating: 0, count: values.count)
            enlarge(codes, scale: scale, to: &large, accumulate: false)
        }
        convolutions.add(large, grid: final, scale: scale, to: &values)
    }

    private func enlarge(_ codes: [Float], scale: Int, to result: inout [Float], accumulate: Bool) {
        result.withUnsafeMutableBufferPointer {
            guard let to = $0.baseAddress else { return }
            ResizeMatrix.apply(
                vertical: upVertical[scale], horizontal: upHorizontal[scale], channels: channels, codes, into: to,
                accumulate: accumulate)
        }
    }

    /// The transformer's input `[n_k, token channels]` for scale k: the sum, resized to that scale's grid.
    public func input(scale: Int) -> [Float] {
        let grid = schedule.grids[scale]
        var result = [Float](repeating: 0, count: grid.tokenCount * tokenChannels)
        result.withUnsafeMutableBufferPointer {
            guard let to = $0.baseAddress else { return }
            ResizeMatrix.apply(
                vertical: downVertical[scale], horizontal: downHorizontal[scale], channels: channels, values, into: to,
                accumulate: false)
        }
        guard patchifies else { return result }
        return ChannelShuffle.pixelUnshuffle(
            result, height: grid.height, width: grid.width, channels: tokenChannels)
    }
}
