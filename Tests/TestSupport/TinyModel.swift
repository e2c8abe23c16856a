import Checkpoints
import VernierCore

/// A complete model directory, small enough to run in milliseconds: random weights under the official names around the
/// golden SentencePiece model. The same options give the same bytes.
///
/// 2 branches, `depth` layers of 2 heads of 16 channels, maps 1, 2, 3 and 4 tokens on a side (histories 0, 1, 5, 14),
/// 4 bits a token, pictures of 4 x 4 pixels.
public struct TinyModel: Sendable {
    /// Sides of the token maps.
    public static let sides = [1, 2, 3, 4]
    /// Attention heads.
    public static let heads = 2
    /// Channels per head.
    public static let headWidth = 16
    /// Pixels per side of a picture.
    public static let pictureSide = 4

    private static let width = heads * headWidth
    private static let mlpWidth = 64
    private static let textWidth = 32
    private static let bits = 4
    private static let channels = 32
    private static let vocabulary = 620

    /// The model's layers.
    public let depth: Int
    private let folder = TemporaryDirectory()

    /// The model directory; it goes with the object.
    public var path: String { folder.path }
    /// The file with the transformer's weights.
    public var transformerPath: String { folder.file("transformer.safetensors") }

    /// Writes a model. Another `seed` gives another model of the same sizes, another `depth` one of other sizes.
    ///
    /// Its `config.json` has square maps of `sides` tokens, and rotary positions scaled to `ropeSide`, the last of them if
    /// left out. `damage` may change a transformer tensor's values before they are written.
    public init(
        seed: UInt64 = 1, depth: Int = 2, sides: [Int] = TinyModel.sides, ropeSide: Int? = nil,
        damage: (_ name: String, _ values: inout [Float]) -> Void = { _, _ in }
    ) throws {
        self.depth = depth
        folder.folder("text_encoder")
        try AtomicFile.write(
            Self.configuration(depth: depth, sides: sides, ropeSide: ropeSide), to: folder.file("config.json"))
        try AtomicFile.write(Self.textConfiguration, to: folder.file("text_encoder/config.json"))
        let pieces = try MappedFile(path: Golden.path("tok-a.spiece.model"))
        try withExtendedLifetime(pieces) {
            try AtomicFile.write($0.bytes, to: folder.file("text_encoder/spiece.model"))
        }
        var random = SplitMix64(seed: seed)
        let files = [
            ("transformer.safetensors", Self.transformer(depth: depth)), ("tokenizer.safetensors", Self.tokenizer),
            ("text_encoder/model.safetensors", Self.textEncoder),
        ]
        for (name, tensors) in files {
            var writer = SafetensorsWriter()
            for tensor in tensors {
                var values = random.floats(
                    tensor.shape.reduce(1, *), in: (tensor.middle - tensor.spread)...(tensor.middle + tensor.spread))
                if name == "transformer.safetensors" { damage(tensor.name, &values) }
                try writer.add(TensorView(name: tensor.name, shape: tensor.shape, float32: values))
            }
            try writer.write(to: folder.file(name))
        }
    }

    /// A corpus of `count` different prompts as JSON lines.
    public static func corpus(_ count: Int) -> String {
        let colours = ["red", "green", "blue", "yellow", "black"]
        let shapes = ["square", "circle", "triangle"]
        let sides = ["left of", "right of", "above", "below"]
        return (0..<count).map { index in
            let words = [
                "a", colours[index % 5], shapes[index % 3], sides[index % 4], "the", colours[index / 5 % 5],
                shapes[index / 15 % 3],
            ]
            return "{\"prompt\":\"\(words.joined(separator: " ")), picture \(index)\"}\n"
        }.joined()
    }

    /// A tensor with the interval its values are drawn from.
    private struct Tensor {
        let name: String
        let shape: [Int]
        var middle: Float = 0
        var spread: Float = 0.2

        /// A matrix or kernel that keeps the variance of its input.
        static func weight(_ name: String, _ shape: [Int]) -> Tensor {
            Tensor(name: name, shape: shape, spread: (3 / Float(shape.dropFirst().reduce(1, *))).squareRoot())
        }

        /// A factor near 1.
        static func gain(_ name: String, _ count: Int) -> Tensor { Tensor(name: name, shape: [count], middle: 1) }
    }

    private static func transformer(depth: Int) -> [Tensor] {
        let c = width
        let ct = textWidth
        let f = mlpWidth
        var tensors = [
            Tensor(name: "cfg_uncond", shape: [64, ct], spread: 1), .gain("text_norm.weight", ct),
            Tensor(name: "text_proj_for_sos.ca.mat_q", shape: [1, 1, c], spread: 1),
            .weight("text_proj_for_sos.ca.mat_kv.weight", [2 * c, ct]),
            Tensor(name: "text_proj_for_sos.ca.v_bias", shape: [c]),
            .weight("text_proj_for_sos.ca.proj.weight", [c, c]),
            Tensor(name: "text_proj_for_sos.ca.proj.bias", shape: [c]), .weight("text_proj_for_ca.0.weight", [c, ct]),
            Tensor(name: "text_proj_for_ca.0.bias", shape: [c]), .weight("text_proj_for_ca.2.weight", [c, c]),
            Tensor(name: "text_proj_for_ca.2.bias", shape: [c]), Tensor(name: "pos_start", shape: [1, 1, c]),
            Tensor(name: "lvl_embed.weight", shape: [15, c], spread: 0.5), .weight("word_embed.weight", [c, bits]),
            Tensor(name: "word_embed.bias", shape: [c]), .weight("shared_ada_lin.1.weight", [6 * c, c]),
            Tensor(name: "shared_ada_lin.1.bias", shape: [6 * c]), .weight("head_nm.ada_lin.1.weight", [2 * c, c]),
            Tensor(name: "head_nm.ada_lin.1.bias", shape: [2 * c]), .weight("head.weight", [2 * bits, c]),
            Tensor(name: "head.bias", shape: [2 * bits]),
        ]
        for layer in 0..<depth {
            let p = "block_chunks.0.module.\(layer)."
            tensors += [
                Tensor(name: p + "ada_gss", shape: [1, 1, 6, c], spread: 0.5),
                // exp(1.4) = 4: rows that are neither flat nor one key's.
                Tensor(name: p + "sa.scale_mul_1H11", shape: [1, heads, 1, 1], middle: 1.4, spread: 0.6),
                .weight(p + "sa.mat_qkv.weight", [3 * c, c]), Tensor(name: p + "sa.q_bias", shape: [c]),
                Tensor(name: p + "sa.v_bias", shape: [c]), .weight(p + "sa.proj.weight", [c, c]),
                Tensor(name: p + "sa.proj.bias", shape: [c]), .gain(p + "ca_norm.weight", c),
                Tensor(name: p + "ca_norm.bias", shape: [c]), .weight(p + "ca.mat_q.weight", [c, c]),
                Tensor(name: p + "ca.mat_q.bias", shape: [c]), .weight(p + "ca.mat_kv.weight", [2 * c, c]),
                Tensor(name: p + "ca.v_bias", shape: [c]), .weight(p + "ca.proj.weight", [c, c]),
                Tensor(name: p + "ca.proj.bias", shape: [c]), .weight(p + "ffn.fc1.weight", [f, c]),
                Tensor(name: p + "ffn.fc1.bias", shape: [f]), .weight(p + "ffn.fc2.weight", [c, f]),
                Tensor(name: p + "ffn.fc2.bias", shape: [c]),
            ]
        }
        return tensors
    }

    private static let tokenizer: [Tensor] = {
        func convolution(_ name: String, _ outputs: Int, _ inputs: Int) -> [Tensor] {
            [
                .weight("\(name).conv.weight", [outputs, inputs, 3, 3]),
                Tensor(name: "\(name).conv.bias", shape: [outputs]),
            ]
        }
        func norm(_ name: String) -> [Tensor] {
            [.gain("\(name).norm.weight", channels), Tensor(name: "\(name).norm.bias", shape: [channels])]
        }
        let blocks = ["mid.block_1", "mid.block_2"] + (0..<3).map { "up.0.block.\($0)" }
        return convolution("decoder.conv_in", channels, bits)
            + blocks.flatMap { block in
                (1...2).flatMap { place in
                    norm("decoder.\(block).norm\(place)")
                        + convolution("decoder.\(block).conv\(place)", channels, channels)
                }
            } + norm("decoder.norm_out") + convolution("decoder.conv_out", 3, channels)
    }()

    private static let textEncoder: [Tensor] = {
        let c = textWidth
        let block = "encoder.block.0."
        return [
            Tensor(name: "shared.weight", shape: [vocabulary, c], spread: 1),
            Tensor(name: block + "layer.0.SelfAttention.relative_attention_bias.weight", shape: [32, 2], spread: 1),
            .gain(block + "layer.0.layer_norm.weight", c), .gain(block + "layer.1.layer_norm.weight", c),
            .gain("encoder.final_layer_norm.weight", c),
        ] + ["q", "k", "v", "o"].map { .weight(block + "layer.0.SelfAttention.\($0).weight", [c, c]) }
            + ["wi_0", "wi_1"].map { .weight(block + "layer.1.DenseReluDense.\($0).weight", [2 * c, c]) }
            + [.weight(block + "layer.1.DenseReluDense.wo.weight", [c, 2 * c])]
    }()

    private static func configuration(depth: Int, sides: [Int], ropeSide: Int?) -> String {
        let last = ropeSide ?? sides[sides.count - 1]
        return """
            {"format":"vernier-model","version":1,"family":"infinity","name":"tiny",
             "transformer":{"depth":\(depth),"block_chunks":1,"width":\(width),"heads":\(heads),
                            "mlp_width":\(mlpWidth),"text_width":\(textWidth),"text_pool_heads":1,"bits":\(bits),
                            "rope_grid":[\(last),\(last)]},
             "schedule":[\(sides.map { "[\($0),\($0)]" }.joined(separator: ","))],
             "tokenizer":{"bits":\(bits),"base_channels":\(channels),"channel_multipliers":[1],
                          "spatial_patchify":false},
             "text_encoder":{"max_tokens":64},
             "sampling":{"guidance":2,"temperature":1,"top_k":0,"top_p":0.97}}
            """
    }

    private static let textConfiguration = """
        {"d_model":\(textWidth),"d_ff":\(2 * textWidth),"d_kv":\(textWidth / 2),"num_heads":2,"num_layers":1,
         "vocab_size":\(vocabulary),"layer_norm_epsilon":1e-6,"relative_attention_num_buckets":32,
         "relative_attention_max_distance":128,"feed_forward_proj":"gated-gelu"}
        """
}
