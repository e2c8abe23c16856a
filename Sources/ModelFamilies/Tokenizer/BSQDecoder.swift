import Checkpoints
import TensorKernels
import VernierCore

/// The decoder of a BSQ image tokeniser: summed codes to picture (`models.md` section 3.8).
public final class BSQDecoder: Sendable {
    private struct Level: Sendable {
        let blocks: [ResidualBlock]
        let upsample: Convolution?
    }
    /// Code bits d.
    public let bits: Int
    /// Pixels along each side of one code.
    public let pixelsPerCode: Int
    private let convIn: Convolution
    private let middle: [ResidualBlock]
    private let levels: [Level]
    private let normOut: GroupNorm
    private let convOut: Convolution

    /// Reads `decoder.*`, three residual blocks a level.
    ///
    /// Throws ``VernierError/Code/mismatch`` naming every missing or misshapen tensor.
    /// - Precondition: `multipliers` is not empty.
    public init(bits: Int, baseChannels: Int, multipliers: [Int], tensors: any TensorSource) throws {
        precondition(!multipliers.isEmpty, "multipliers is not empty")
        let widths = multipliers.map { $0 * baseChannels }, top = widths[widths.count - 1]
        guard widths.allSatisfy({ $0 > 0 && $0 % 32 == 0 }) else {
            throw VernierError(
                .mismatch, at: tensors.sourceName, expected: "channel counts that are multiples of 32 (group norm)",
                found: "\(widths)")
        }
        var weights = TokenizerWeights(tensors)
        weights.requireConvolution("decoder.conv_in", top, bits)
        for name in ["decoder.mid.block_1", "decoder.mid.block_2"] { weights.requireBlock(name, top, top) }
        var width = top
        for level in widths.indices.reversed() {
            for block in 0..<3 {
                weights.requireBlock("decoder.up.\(level).block.\(block)", width, widths[level])
                width = widths[level]
            }
            if level > 0 { weights.requireConvolution("decoder.up.\(level).upsample.conv", width, width) }
        }
        weights.requireNorm("decoder.norm_out", width)
        weights.requireConvolution("decoder.conv_out", 3, width)
        try weights.check()

        self.bits = bits
        pixelsPerCode = 1 << (multipliers.count - 1)
        convIn = try weights.convolution("decoder.conv_in", top, bits)
        middle = try ["decoder.mid.block_1", "decoder.mid.block_2"].map { try weights.block($0, top, top) }
        width = top
        var levels: [Level] = []
        for level in widths.indices.reversed() {
            var blocks: [ResidualBlock] = []
            for block in 0..<3 {
                blocks.append(try weights.block("decoder.up.\(level).block.\(block)", width, widths[level]))
                width = widths[level]
            }
            levels.append(
                Level(
                    blocks: blocks,
                    upsample: level == 0
                        ? nil : try weights.convolution("decoder.up.\(level).upsample.conv", width, width)))
        }
        self.levels = levels
        normOut = try weights.norm("decoder.norm_out")
        convOut = try weights.convolution("decoder.conv_out", 3, width)
    }

    /// Decodes a sum of codes `[height, width, d]` (channels last) to a picture `[3, H, W]` in [-1, 1], clamped; H and W
    /// are the code grid times ``pixelsPerCode``.
    /// - Precondition: `code` holds height * width * d values.
    public func decode(_ code: [Float], height: Int, width: Int) -> [Float] {
        precondition(code.count == height * width * bits, "code holds height * width * d values")
        var map = FeatureMap(height: height, width: width, channels: bits)
        map.pointer.update(from: code, count: code.count)
        map = convIn(map)
        for block in middle { map = block(map) }
        for level in levels {
            for block in level.blocks { map = block(map) }
            if let upsample = level.upsample {
                let large = FeatureMap(height: 2 * map.height, width: 2 * map.width, channels: map.channels)
                ChannelShuffle.nearestDouble(
                    map.pointer, height: map.height, width: map.width, channels: map.channels, into: large.pointer)
                map = upsample(large)
            }
        }
        map = convOut(normOut.thenSilu(map))
        var picture = [Float](repeating: 0, count: 3 * map.pixels)
        for pixel in 0..<map.pixels {
            for channel in 0..<3 {
                picture[channel * map.pixels + pixel] = min(max(map.pointer[pixel * 3 + channel], -1), 1)
            }
        }
        return picture
    }
}
