import Checkpoints
import ProfileFormat
import TensorKernels
import VernierCore

/// The weights of an Infinity transformer, by their official key names (`models.md` section 3.3). Immutable; shared by
/// any number of sessions.
public final class InfinityTransformer: Sendable {
    /// The sizes.
    public let shape: InfinityShape
    let rotary: RotaryTables
    let blocks: [InfinityBlock]
    let unconditionalText: [Float]  // cfg_uncond [rows, Ct]
    let textNorm: [Float]
    let poolQuery: [Float]  // [Hp, C / Hp]
    let poolKeyValue: LinearLayer
    let poolProjection: LinearLayer
    let contextIn: LinearLayer
    let contextOut: LinearLayer
    let positionStart: [Float]
    let levelEmbedding: [Float]  // [15, C]
    let wordEmbedding: LinearLayer
    let sharedAda: LinearLayer
    let headAda: LinearLayer
    let head: LinearLayer

    /// Rows of `cfg_uncond` (512 in released models): the longest text that can be guided without a negative prompt.
    public var maximumTextTokens: Int { unconditionalText.count / shape.textWidth }
    /// Rows of the level embedding: the most scales a schedule may have.
    public static let maximumScales = 15

    /// Reads and packs the weights.
    ///
    /// Tensors that inference does not need (zero key biases, masks) are left alone. Throws
    /// ``VernierError/Code/mismatch`` naming every missing or misshapen tensor, and ``VernierError/Code/nonFinite`` for
    /// a NaN or infinity.
    public init(shape: InfinityShape, tensors: any TensorSource) throws {
        self.shape = shape
        guard shape.schedule.scaleCount <= Self.maximumScales else {
            throw VernierError(
                .mismatch, at: tensors.sourceName, expected: "at most \(Self.maximumScales) scales",
                found: "\(shape.schedule.scaleCount)")
        }
        let c = shape.width, ct = shape.textWidth, d = shape.bits, hp = shape.textPoolHeads
        let prefixes = (0..<shape.depth).map { layer in
            let each = shape.depth / shape.blockChunks
            return "block_chunks.\(layer / each).module.\(layer % each)."
        }
        var requirements = TensorRequirements()
        for (name, dimensions) in [
            ("cfg_uncond", [try Self.textRows(tensors), ct]), ("text_norm.weight", [ct]),
            ("text_proj_for_sos.ca.mat_q", [1, hp, c / hp]), ("text_proj_for_sos.ca.mat_kv.weight", [2 * c, ct]),
            ("text_proj_for_sos.ca.v_bias", [c]), ("text_proj_for_sos.ca.proj.weight", [c, c]),
            ("text_proj_for_sos.ca.proj.bias", [c]), ("text_proj_for_ca.0.weight", [c, ct]),
            ("text_proj_for_ca.0.bias", [c]), ("text_proj_for_ca.2.weight", [c, c]), ("text_proj_for_ca.2.bias", [c]),
            ("pos_start", [1, 1, c]), ("lvl_embed.weight", [Self.maximumScales, c]), ("word_embed.weight", [c, d]),
            ("word_embed.bias", [c]), ("shared_ada_lin.1.weight", [6 * c, c]), ("shared_ada_lin.1.bias", [6 * c]),
            ("head_nm.ada_lin.1.weight", [2 * c, c]), ("head_nm.ada_lin.1.bias", [2 * c]),
            ("head.weight", [2 * d, c]), ("head.bias", [2 * d]),
        ] { requirements.add(name, shape: dimensions) }
        for prefix in prefixes { InfinityBlock.addRequirements(&requirements, prefix: prefix, shape: shape) }
        try requirements.check(tensors)

        func layer(_ name: String, _ outputs: Int, _ inputs: Int, bias: [Float]? = nil) throws -> LinearLayer {
            LinearLayer(
                weight: try tensors.float32(name + ".weight"), bias: try bias ?? tensors.float32(name + ".bias"),
                outputs: outputs, inputs: inputs)
        }
        unconditionalText = try tensors.float32("cfg_uncond")
        textNorm = try tensors.float32("text_norm.weight")
        poolQuery = try tensors.float32("text_proj_for_sos.ca.mat_q")
        poolKeyValue = try layer(
            "text_proj_for_sos.ca.mat_kv", 2 * c, ct,
            bias: [Float](repeating: 0, count: c) + tensors.float32("text_proj_for_sos.ca.v_bias"))
        poolProjection = try layer("text_proj_for_sos.ca.proj", c, c)
        contextIn = try layer("text_proj_for_ca.0", c, ct)
        contextOut = try layer("text_proj_for_ca.2", c, c)
        positionStart = try tensors.float32("pos_start")
        levelEmbedding = try tensors.float32("lvl_embed.weight")
        wordEmbedding = try layer("word_embed", c, d)
        sharedAda = try layer("shared_ada_lin.1", 6 * c, c)
        headAda = try layer("head_nm.ada_lin.1", 2 * c, c)
        head = try layer("head", 2 * d, c)
        blocks = try prefixes.map { try InfinityBlock(tensors, prefix: $0, shape: shape) }
        rotary = RotaryTables(schedule: shape.schedule, headWidth: shape.headWidth)
    }

    /// The rows of the learned empty text, read from the file because fine-tuned copies differ; 512 if it is missing.
    private static func textRows(_ tensors: any TensorSource) throws -> Int {
        guard let view = try tensors.tensor("cfg_uncond"), let rows = view.shape.first, (1...4096).contains(rows) else {
            return 512
        }
        return rows
    }

    /// The weight `W_o` `[C, C]` of a layer's attention projection; `W_o^h` is its columns `h D ..< (h + 1) D`.
    public func attentionProjectionWeight(layer: Int) -> [Float] { blocks[layer].attentionProjectionWeight }
}
