import Checkpoints
import ProfileFormat

extension CheckpointLayout {
    /// The kinds of image tokenisers.
    public enum ImageTokenizerKind: Sendable, Hashable {
        /// VAR's VQ-VAE with a codebook of so many entries, seen at so many scales while training.
        case codebook(entries: Int, scales: Int)
        /// Infinity's BSQ-VAE: wrapped names, neither codebook nor attention.
        case binary
    }

    /// The image tokeniser's file that belongs to a transformer, encoder included.
    public static func imageTokenizer(of architecture: ModelArchitecture, scales: Int) -> CheckpointLayout {
        switch architecture {
        case .infinity(let numbers):
            imageTokenizer(
                .binary, channels: numbers.tokenizer.bits, baseChannels: numbers.tokenizer.baseChannels,
                multipliers: numbers.tokenizer.channelMultipliers)
        case .var(let numbers):
            imageTokenizer(
                .codebook(entries: numbers.codebookSize, scales: scales), channels: numbers.codeChannels,
                baseChannels: numbers.baseChannels, multipliers: numbers.channelMultipliers)
        }
    }

    /// An image tokeniser's file, encoder included; `channels` of a code.
    public static func imageTokenizer(
        _ kind: ImageTokenizerKind, channels: Int, baseChannels: Int, multipliers: [Int]
    ) -> CheckpointLayout {
        var part = ImageTokenizerPart(isBinary: kind == .binary)
        let widths = multipliers.map { $0 * baseChannels }
        part.addEncoder(widths: widths, channels: channels)
        part.addDecoder(widths: widths, channels: channels)
        guard case .codebook(let entries, let scales) = kind else { return part.layout }
        part.layout.add("quantize.embedding.weight", [entries, channels], .spread(1))
        part.layout.addBuffer("quantize.ema_vocab_hit_SV", [scales, entries])
        for place in 0..<4 { part.addConvolution("quantize.quant_resi.qresi_ls.\(place)", channels, channels) }
        for name in ["quant_conv", "post_quant_conv"] { part.addConvolution(name, channels, channels) }
        return part.layout
    }
}

/// Lists the layers of encoder and decoder.
private struct ImageTokenizerPart {
    let isBinary: Bool
    var layout = CheckpointLayout()

    init(isBinary: Bool) { self.isBinary = isBinary }

    mutating func addConvolution(_ name: String, _ outputs: Int, _ inputs: Int, side: Int = 3) {
        let name = isBinary ? "\(name).conv" : name
        layout.add("\(name).weight", [outputs, inputs, side, side], .weights(inputs: inputs * side * side))
        layout.addBias("\(name).bias", outputs)
    }

    mutating func addNorm(_ name: String, _ channels: Int) {
        let name = isBinary ? "\(name).norm" : name
        layout.add("\(name).weight", [channels], .spread(0.1, about: 1))
        layout.addBias("\(name).bias", channels)
    }

    mutating func addBlock(_ name: String, _ inputs: Int, _ outputs: Int) {
        addNorm("\(name).norm1", inputs)
        addConvolution("\(name).conv1", outputs, inputs)
        addNorm("\(name).norm2", outputs)
        addConvolution("\(name).conv2", outputs, outputs)
        if inputs != outputs { addConvolution("\(name).nin_shortcut", outputs, inputs, side: 1) }
    }

    mutating func addAttention(_ name: String, _ channels: Int) {
        guard !isBinary else { return }
        addNorm("\(name).norm", channels)
        addConvolution("\(name).qkv", 3 * channels, channels, side: 1)
        addConvolution("\(name).proj_out", channels, channels, side: 1)
    }

    mutating func addMiddle(_ name: String, _ channels: Int) {
        addBlock("\(name).block_1", channels, channels)
        addAttention("\(name).attn_1", channels)
        addBlock("\(name).block_2", channels, channels)
    }

    mutating func addEncoder(widths: [Int], channels: Int) {
        let top = widths.count - 1
        var width = widths[0]
        addConvolution("encoder.conv_in", width, 3)
        for level in widths.indices {
            for place in 0..<2 {
                addBlock("encoder.down.\(level).block.\(place)", width, widths[level])
                width = widths[level]
                if level == top { addAttention("encoder.down.\(level).attn.\(place)", width) }
            }
            if level < top { addConvolution("encoder.down.\(level).downsample.conv", width, width) }
        }
        addMiddle("encoder.mid", width)
        addNorm("encoder.norm_out", width)
        addConvolution("encoder.conv_out", channels, width)
    }

    mutating func addDecoder(widths: [Int], channels: Int) {
        let top = widths.count - 1
        var width = widths[top]
        addConvolution("decoder.conv_in", width, channels)
        addMiddle("decoder.mid", width)
        for level in widths.indices.reversed() {
            for place in 0..<3 {
                addBlock("decoder.up.\(level).block.\(place)", width, widths[level])
                width = widths[level]
                if level == top { addAttention("decoder.up.\(level).attn.\(place)", width) }
            }
            if level > 0 { addConvolution("decoder.up.\(level).upsample.conv", width, width) }
        }
        addNorm("decoder.norm_out", width)
        addConvolution("decoder.conv_out", 3, width)
    }
}
