import Checkpoints
import VernierCore

/// A VAR model directory made of a golden case (`var-a`, `var-b`): its weights under the official names, its sizes as
/// `config.json`. Nothing is random.
///
/// `var-b`: 2 branches, 2 layers of 2 heads of 32 channels, maps 1, 2, 3, 5 and 8 tokens on a side (histories 0, 1, 5,
/// 14, 39), 96 codebook entries, 12 classes, pictures of 128 x 128 pixels.
public struct TinyVARModel: Sendable {
    private let folder = TemporaryDirectory()

    /// The model directory; it goes with the object.
    public var path: String { folder.path }

    /// Writes the model of a golden case.
    public init(_ name: String = "var-b") throws {
        let weights = try Golden.open("\(name).weights"), config = try weights.config
        let vae = try Golden.open(try config.member("vae_file").string())
        try Self.write(weights, under: "transformer.", to: folder.file("transformer.safetensors"))
        try Self.write(vae, under: "vae.", to: folder.file("tokenizer.safetensors"))
        func text(_ key: String, of config: JSONCursor) throws -> String { "\(try config.member(key).integer())" }
        let sides = try config.member("patch_nums").integers(), vaeConfig = try vae.config
        try AtomicFile.write(
            """
            {"format":"vernier-model","version":1,"family":"var","name":"\(name)",
             "transformer":{"depth":\(text("depth", of: config)),"width":\(text("embed_dim", of: config)),
                            "heads":\(text("num_heads", of: config)),"mlp_width":\(text("mlp_hidden", of: config)),
                            "classes":\(text("num_classes", of: config))},
             "schedule":[\(sides.map { "[\($0),\($0)]" }.joined(separator: ","))],
             "tokenizer":{"codebook_size":\(text("vocab_size", of: config)),
                          "code_channels":\(text("z_channels", of: config)),
                          "base_channels":\(text("ch", of: vaeConfig)),
                          "channel_multipliers":\(vaeConfig.member("ch_mult").integers())},
             "sampling":{"guidance":\(config.member("cfg").number()),"temperature":1,"top_k":20,"top_p":0.95}}
            """, to: folder.file("config.json"))
    }

    private static func write(_ source: SafetensorsFile, under prefix: String, to path: String) throws {
        let tensors = source.tensors(under: prefix)
        var writer = SafetensorsWriter()
        for name in tensors.tensorNames {
            let view = try tensors.view(name)
            try writer.add(
                TensorView(
                    name: name, elementType: view.elementType, shape: view.shape, bytes: view.withBytes { Array($0) }))
        }
        try writer.write(to: path)
    }

    /// A corpus of `count` rows, classes 0, 1, ... and around.
    public static func corpus(_ count: Int) -> String {
        (0..<count).map { "{\"class\":\($0 % 12)}\n" }.joined()
    }
}
