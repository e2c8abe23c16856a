import Checkpoints
import TensorKernels
import TestSupport
import Testing

/// Resizes and channel rearrangements against `resize-a`.
@Suite struct ResizeGoldenTests {
    let golden: SafetensorsFile

    init() throws { golden = try Golden.open("resize-a") }

    private func matrix(_ mode: String, _ from: Int, _ to: Int) -> ResizeMatrix {
        switch mode {
        case "bicubic": .bicubic(from: from, to: to)
        case "area": .area(from: from, to: to)
        default: .bilinear(from: from, to: to)
        }
    }

    @Test(arguments: ["bicubic", "area", "bilinear"]) func matrices(mode: String) throws {
        let sizes = try golden.config.member(mode).elements().map { try $0.integers() }
        #expect(sizes.count >= 10)
        for size in sizes {
            try expectClose(
                matrix(mode, size[0], size[1]).dense, golden.view("\(mode).\(size[0]).\(size[1])"), tolerance: 1e-5,
                what: "\(mode) \(size[0]) -> \(size[1])")
        }
    }

    @Test func images() throws {
        for item in try golden.config.member("two_d").elements() {
            let index = try item.member("index").integer(), mode = try item.member("mode").string()
            let from = try item.member("size_in").integers(), to = try item.member("size_out").integers()
            let x = try golden.float32("image.\(index).in")
            let y = ResizeMatrixTestHelper.resizeChannelsFirst(
                x, channels: 2, from: from, vertical: matrix(mode, from[0], to[0]),
                horizontal: matrix(mode, from[1], to[1]))
            try expectClose(y, golden.view("image.\(index).out"), tolerance: 2e-5, what: "image \(index), \(mode)")
        }
    }

    @Test func accumulatingAddsToWhatIsThere() {
        let matrix = ResizeMatrix.bilinear(from: 2, to: 4)
        let x: [Float] = [1, 2, 3, 4]
        let sum = FloatBuffer([Float](repeating: 10, count: 16)), plain = FloatBuffer.zeros(count: 16)
        for (result, accumulate) in [(sum, true), (plain, false)] {
            ResizeMatrixTestHelper.apply(matrix, matrix, channels: 1, x, into: result, accumulate: accumulate)
        }
        expectClose(sum.array, plain.array.map { $0 + 10 }, tolerance: 1e-6, what: "accumulated resize")
    }

    @Test func pixelShuffleIsTheInverseOfUnshuffle() {
        var random = SplitMix64(seed: 7)
        let x = random.floats(3 * 5 * 8)
        var spread = [Float](repeating: .nan, count: x.count), packed = spread
        ChannelShuffle.pixelShuffle(x, height: 3, width: 5, channels: 8, into: &spread)
        ChannelShuffle.pixelUnshuffle(spread, height: 3, width: 5, channels: 8, into: &packed)
        expectSame(packed, x, what: "unshuffle of shuffle")
        // out[2y+i, 2x+j, c] = in[y, x, 4c + 2i + j] for y = 1, x = 2, i = 1, j = 0, c = 1.
        let spreadIndex: Int = (3 * 10 + 4) * 2 + 1
        let packedIndex: Int = (1 * 5 + 2) * 8 + 4 + 2
        #expect(spread[spreadIndex] == x[packedIndex])
    }
}

enum ResizeMatrixTestHelper {
    static func apply(
        _ vertical: ResizeMatrix, _ horizontal: ResizeMatrix, channels: Int, _ x: [Float], into result: FloatBuffer,
        accumulate: Bool
    ) {
        let scratch = FloatBuffer(
            count: ResizeMatrix.scratchCount(vertical: vertical, horizontal: horizontal, channels: channels))
        ResizeMatrix.apply(
            vertical: vertical, horizontal: horizontal, channels: channels, x, into: result.pointer,
            accumulate: accumulate, scratch: scratch.pointer)
    }

    /// Resizes `[channels, h, w]` by way of the channels-last code under test.
    static func resizeChannelsFirst(
        _ x: [Float], channels: Int, from: [Int], vertical: ResizeMatrix, horizontal: ResizeMatrix
    ) -> [Float] {
        let pixels = from[0] * from[1], outPixels = vertical.rows.count * horizontal.rows.count
        var last = [Float](repeating: 0, count: x.count)
        for c in 0..<channels {
            for p in 0..<pixels { last[p * channels + c] = x[c * pixels + p] }
        }
        let result = FloatBuffer.zeros(count: channels * outPixels)
        apply(vertical, horizontal, channels: channels, last, into: result, accumulate: false)
        var first = [Float](repeating: 0, count: result.count)
        for c in 0..<channels {
            for p in 0..<outPixels { first[c * outPixels + p] = result.pointer[p * channels + c] }
        }
        return first
    }
}
