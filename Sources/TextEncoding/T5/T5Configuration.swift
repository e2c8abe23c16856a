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
