import VernierCore

/// The numbers of a T5 encoder, from a Hugging Face `config.json`.
public struct T5Configuration: Sendable, Hashable {
    /// Channels of the residual stream (`d_model`).
    public let width: Int
    /// Hidden channels of the feed-forward layers (`d_ff`).
    public let mlpWidth: Int
    /// Channels per attention head (`d_kv`); heads times this need not be ``width``.
    public let headWidth: Int
    /// Attention heads (`num_heads`).
    public let heads: Int
    /// Blocks (`num_layers`).
    public let layers: Int
    /// Rows of the embedding table (`vocab_size`).
    public let idCount: Int
    /// What the norms add to the mean square (`layer_norm_epsilon`).
    public let epsilon: Float

    /// Channels of all heads together.
    public var innerWidth: Int { heads * headWidth }

    /// flan-t5-xl, which every released Infinity uses.
    public static let flanXL = T5Configuration(
        width: 2048, mlpWidth: 5120, headWidth: 64, heads: 32, layers: 24, idCount: 32_128)

    /// Gathers the numbers.
    /// - Precondition: all are positive.
    public init(
        width: Int, mlpWidth: Int, headWidth: Int, heads: Int, layers: Int, idCount: Int, epsilon: Float = 1e-6
    ) {
        precondition(
            [width, mlpWidth, headWidth, heads, layers, idCount].allSatisfy { $0 > 0 } && epsilon >= 0,
            "all are positive")
        self.width = width
        self.mlpWidth = mlpWidth
        self.headWidth = headWidth
        self.heads = heads
        self.layers = layers
        self.idCount = idCount
        self.epsilon = epsilon
    }

    /// The configuration as a Hugging Face `config.json` says it, what inference needs of it.
    public func json() -> JSONValue {
        [
            "architectures": ["T5EncoderModel"], "model_type": "t5", "d_model": .integer(Int64(width)),
            "d_ff": .integer(Int64(mlpWidth)), "d_kv": .integer(Int64(headWidth)), "num_heads": .integer(Int64(heads)),
            "num_layers": .integer(Int64(layers)), "vocab_size": .integer(Int64(idCount)),
            "layer_norm_epsilon": .number(Double(epsilon)),
            "relative_attention_num_buckets": .integer(Int64(RelativeBuckets.count)),
            "relative_attention_max_distance": .integer(Int64(RelativeBuckets.maximumDistance)),
            "feed_forward_proj": "gated-gelu",
        ]
    }

    /// Reads the file at `path`.
    ///
    /// Throws ``VernierError/Code/fileAccess`` or ``VernierError/Code/malformedFile``.
    public init(path: String) throws {
        let file = try MappedFile(path: path)
        let value = try file.withBytes { try JSONValue.parse($0, name: file.name) }
        try self.init(reading: JSONCursor(value, place: file.name))
    }

    /// Reads a parsed configuration. Members that are not needed are ignored: the file is Hugging Face's, not ours.
    ///
    /// Throws ``VernierError/Code/malformedFile`` for what is missing or out of range, and for buckets or activations
    /// other than those of the T5 1.1 family.
    public init(reading root: JSONCursor) throws {
        func number(_ key: String, upTo bound: Int) throws -> Int { try root.member(key).integer(in: 1...bound) }
        func require(_ key: String, _ expected: JSONValue) throws {
            let member = try root.member(key)
            guard member.value == expected else { throw member.error(expected: expected.summary) }
        }
        width = try number("d_model", upTo: 65536)
        mlpWidth = try number("d_ff", upTo: 1 << 20)
        headWidth = try number("d_kv", upTo: 65536)
        heads = try number("num_heads", upTo: 1024)
        layers = try number("num_layers", upTo: 1024)
        idCount = try number("vocab_size", upTo: 1 << 24)
        epsilon = Float(try root.member("layer_norm_epsilon").number(in: 0...1))
        try require("relative_attention_num_buckets", .integer(Int64(RelativeBuckets.count)))
        try require("relative_attention_max_distance", .integer(Int64(RelativeBuckets.maximumDistance)))
        try require("feed_forward_proj", "gated-gelu")
    }
}
