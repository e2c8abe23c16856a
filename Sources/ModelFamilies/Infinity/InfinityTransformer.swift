import Checkpoints
import ProfileFormat
import TensorKernels
import VernierCore

/// The weights of an Infinity transformer, by their official key names (`models.md` section 3.3). Immutable; shared by
/// any number of sessions.
public final class InfinityTransformer: Sendable {
    /// The sizes.
    public let shape: InfinityShape
    /// Embedding, blocks and head.
    public let stack: TransformerStack
    let unconditionalText: [Float]  // cfg_uncond [rows, Ct]
    let textNorm: [Float]
    let poolQuery: [Float]  // [Hp, C / Hp]
    let poolKeyValue: LinearLayer
    let poolProjection: LinearLayer
    let contextIn: LinearLayer
    let contextOut: LinearLayer

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
        let c = shape.width, ct = shape.textWidth, hp = shape.textPoolHeads
        let layout = StackLayout(
            schedule: shape.schedule, width: c, heads: shape.heads, mlpWidth: shape.mlpWidth, inputs: shape.bits,
            outputs: 2 * shape.bits, levels: Self.maximumScales,
            blockPrefixes: (0..<shape.depth).map { layer in
                let each = shape.depth / shape.blockChunks
                return "block_chunks.\(layer / each).module.\(layer % each)."
            }, attentionKey: "sa", hasRotaryPositions: true, hasCrossAttention: true)
        var requirements = TensorRequirements()
        for (name, dimensions) in [
            ("cfg_uncond", [try Self.textRows(tensors), ct]), ("text_norm.weight", [ct]),
            ("text_proj_for_sos.ca.mat_q", [1, hp, c / hp]), ("text_proj_for_sos.ca.mat_kv.weight", [2 * c, ct]),
            ("text_proj_for_sos.ca.v_bias", [c]), ("text_proj_for_sos.ca.proj.weight", [c, c]),
            ("text_proj_for_sos.ca.proj.bias", [c]), ("text_proj_for_ca.0.weight", [c, ct]),
            ("text_proj_for_ca.0.bias", [c]), ("text_proj_for_ca.2.weight", [c, c]), ("text_proj_for_ca.2.bias", [c]),
        ] { requirements.add(name, shape: dimensions) }
        layout.addRequirements(&requirements)
        for part in ["\(shape.blockChunks).", "0.module.\(shape.depth / shape.blockChunks)."] {
            requirements.exclude(
                "block_chunks.\(part)", reason: "no more than \(shape.depth) blocks, in \(shape.blockChunks) chunks")
        }
        try requirements.check(tensors)

        unconditionalText = try tensors.float32("cfg_uncond")
        textNorm = try tensors.float32("text_norm.weight")
        poolQuery = try tensors.float32("text_proj_for_sos.ca.mat_q")
        poolKeyValue = try LinearLayer(
            tensors, "text_proj_for_sos.ca.mat_kv", 2 * c, ct,
            bias: [Float](repeating: 0, count: c) + tensors.float32("text_proj_for_sos.ca.v_bias"))
        poolProjection = try LinearLayer(tensors, "text_proj_for_sos.ca.proj", c, c)
        contextIn = try LinearLayer(tensors, "text_proj_for_ca.0", c, ct)
        contextOut = try LinearLayer(tensors, "text_proj_for_ca.2", c, c)
        stack = try TransformerStack(tensors, layout: layout)
    }

    /// The rows of the learned empty text, read from the file because fine-tuned copies differ; 512 if it is missing.
    private static func textRows(_ tensors: any TensorSource) throws -> Int {
        guard let view = try tensors.tensor("cfg_uncond"), let rows = view.shape.first, (1...4096).contains(rows) else {
            return 512
        }
        return rows
    }
}
