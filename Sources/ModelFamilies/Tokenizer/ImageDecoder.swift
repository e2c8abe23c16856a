import Checkpoints
import TensorKernels
import VernierCore

/// The decoder of an image tokeniser: summed codes to picture (`models.md` sections 2.7 and 3.8).
public final class ImageDecoder: Sendable {
    /// What the decoder has beside residual blocks and up-sampling.
    public enum Kind: Sendable {
        /// Infinity's BSQ-VAE: nothing.
        case binary
        /// VAR's VQ-VAE: a convolution before the decoder, attention in the middle and at the top level.
        case codebook
    }

    /// A residual block, with attention behind it at the top level of a codebook decoder.
    private struct Step: Sendable {
        let block: ResidualBlock
        let attention: AttentionBlock?

        func callAsFunction(_ map: inout FeatureMap) {
            block(&map)
            if let attention { map = attention(map) }
        }
    }

    private struct Level: Sendable {
        let steps: [Step]
        let upsample: Convolution?
    }

    /// Channels of a code, d.
    public let channels: Int
    /// Pixels along each side of one code.
    public let pixelsPerCode: Int
    private let postQuantisation: Convolution?
    private let convIn: Convolution
    private let middle: [Step]
    private let levels: [Level]
    private let normOut: GroupNorm
    private let convOut: Convolution

    /// Reads `decoder.*`, three residual blocks a level.
    ///
    /// Throws ``VernierError/Code/mismatch`` naming every missing or misshapen tensor.
    /// - Precondition: `multipliers` is not empty.
    public convenience init(
        kind: Kind, channels: Int, baseChannels: Int, multipliers: [Int], tensors: any TensorSource
    ) throws {
        try self.init(
            kind: kind, channels: channels, baseChannels: baseChannels, multipliers: multipliers,
            weights: TokenizerWeights(tensors))
    }

    /// Adds the decoder's requirements to those of `weights`, checks all of them, and reads the decoder.
    init(
        kind: Kind, channels: Int, baseChannels: Int, multipliers: [Int], weights: TokenizerWeights
    ) throws {
        precondition(!multipliers.isEmpty, "multipliers is not empty")
        let widths = multipliers.map { $0 * baseChannels }, top = widths[widths.count - 1]
        guard widths.allSatisfy({ $0 > 0 && $0 % 32 == 0 }) else {
            throw VernierError(
                .mismatch, at: weights.tensors.sourceName,
                expected: "channel counts that are multiples of 32 (group norm)",
                found: "\(widths)")
        }
        let attends = kind == .codebook
        var weights = weights
        if attends { weights.requireConvolution("post_quant_conv", channels, channels) }
        weights.requireConvolution("decoder.conv_in", top, channels)
        for name in ["decoder.mid.block_1", "decoder.mid.block_2"] { weights.requireBlock(name, top, top) }
        if attends { weights.requireAttention("decoder.mid.attn_1", top) }
        var width = top
        for level in widths.indices.reversed() {
            for place in 0..<Self.blocksPerLevel {
                weights.requireBlock("decoder.up.\(level).block.\(place)", width, widths[level])
                width = widths[level]
                if attends, level == widths.count - 1 {
                    weights.requireAttention("decoder.up.\(level).attn.\(place)", width)
                }
            }
            if level > 0 { weights.requireConvolution("decoder.up.\(level).upsample.conv", width, width) }
        }
        weights.requireNorm("decoder.norm_out", width)
        weights.requireConvolution("decoder.conv_out", 3, width)
        // The decoder of another model may hold all of these tensors and more.
        weights.requirements.exclude("decoder.up.\(widths.count).", reason: "no level above \(widths.count - 1)")
        if !attends {
            for part in ["post_quant_conv.", "decoder.mid.attn_1.", "decoder.up.\(widths.count - 1).attn."] {
                weights.requirements.exclude(part, reason: "no such part in a binary tokeniser")
            }
        }
        try weights.check()

        self.channels = channels
        pixelsPerCode = 1 << (multipliers.count - 1)
        postQuantisation = attends ? try weights.convolution("post_quant_conv", channels, channels) : nil
        convIn = try weights.convolution("decoder.conv_in", top, channels)
        middle = [
            Step(
                block: try weights.block("decoder.mid.block_1", top, top),
                attention: attends ? try weights.attention("decoder.mid.attn_1", top) : nil),
            Step(block: try weights.block("decoder.mid.block_2", top, top), attention: nil),
        ]
        width = top
        var levels: [Level] = []
        for level in widths.indices.reversed() {
            var steps: [Step] = []
            for place in 0..<Self.blocksPerLevel {
                let block = try weights.block("decoder.up.\(level).block.\(place)", width, widths[level])
                width = widths[level]
                steps.append(
                    Step(
                        block: block,
                        attention: attends && level == widths.count - 1
                            ? try weights.attention("decoder.up.\(level).attn.\(place)", width) : nil))
            }
            levels.append(
                Level(
                    steps: steps,
                    upsample: level == 0
                        ? nil : try weights.convolution("decoder.up.\(level).upsample.conv", width, width)))
        }
        self.levels = levels
        normOut = try weights.norm("decoder.norm_out")
        convOut = try weights.convolution("decoder.conv_out", 3, width)
    }

    private static let blocksPerLevel = 3

    /// Decodes a sum of codes `[height, width, d]` (channels last) to a picture `[3, H, W]` in [-1, 1], clamped; H and W
    /// are the code grid times ``pixelsPerCode``.
    ///
    /// Maps lie in `arena`, which keeps their memory for the next picture.
    /// - Precondition: `code` holds height * width * d values.
    public func decode(_ code: [Float], height: Int, width: Int, arena: MapArena = MapArena()) -> [Float] {
        precondition(code.count == height * width * channels, "code holds height * width * d values")
        defer { arena.settle() }
        var map = FeatureMap(height: height, width: width, channels: channels, in: arena)
        map.pointer.update(from: code, count: code.count)
        if let postQuantisation { map = postQuantisation(map) }
        map = convIn(map)
        for step in middle { step(&map) }
        for level in levels {
            for step in level.steps { step(&map) }
            if let upsample = level.upsample { map = upsample(doubled: map) }
        }
        map = convOut(map.normalised(by: normOut), like: map)
        var picture = [Float](repeating: 0, count: 3 * map.pixels)
        for pixel in 0..<map.pixels {
            for channel in 0..<3 {
                picture[channel * map.pixels + pixel] = min(max(map.pointer[pixel * 3 + channel], -1), 1)
            }
        }
        return picture
    }
}
