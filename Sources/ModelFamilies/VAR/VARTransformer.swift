import Checkpoints
import ProfileFormat
import TensorKernels

/// The weights of a VAR transformer, by their official key names (`models.md` section 2.2). Immutable; shared by any
/// number of sessions.
///
/// Two options are read off the keys: AdaLN from one layer for all blocks (`shared_ada_lin`, d36) or one a block, and
/// normalised queries and keys (`scale_mul_1H11`), which every current checkpoint has.
public final class VARTransformer: Sendable {
    /// The sizes.
    public let shape: VARShape
    /// Embedding, blocks and head.
    public let stack: TransformerStack
    private let classEmbedding: [Float]  // [classes + 1, C], "no class" last

    /// Reads and packs the weights.
    ///
    /// Tensors that inference does not need (zero key biases, level indices, the training mask) are left alone. Throws
    /// ``VernierError/Code/mismatch`` naming every missing or misshapen tensor, and ``VernierError/Code/nonFinite`` for
    /// a NaN or infinity.
    public init(shape: VARShape, tensors: any TensorSource) throws {
        self.shape = shape
        let layout = StackLayout(
            schedule: shape.schedule, width: shape.width, heads: shape.heads, mlpWidth: shape.mlpWidth,
            inputs: shape.codeChannels, outputs: shape.codebookSize, levels: shape.schedule.scaleCount,
            blockPrefixes: (0..<shape.depth).map { "blocks.\($0)." }, attentionKey: "attn", hasTokenPositions: true,
            normalisesQueries: try tensors.tensor("blocks.0.attn.scale_mul_1H11") != nil,
            sharesModulation: try tensors.tensor("shared_ada_lin.1.weight") != nil)
        var requirements = TensorRequirements()
        requirements.add("class_emb.weight", shape: [shape.classes + 1, shape.width])
        layout.addRequirements(&requirements)
        requirements.exclude("blocks.\(shape.depth).", reason: "no more than \(shape.depth) blocks")
        if !layout.normalisesQueries {
            for prefix in layout.blockPrefixes {
                requirements.exclude("\(prefix)attn.scale_mul_1H11", reason: "none, as block 0 has none")
            }
        }
        try requirements.check(tensors)
        classEmbedding = try tensors.float32("class_emb.weight")
        stack = try TransformerStack(tensors, layout: layout)
    }

    /// The embedding `[C]` of a class; without one, that of "no class".
    func embedding(ofClass index: Int?) -> ArraySlice<Float> {
        let row = index ?? shape.classes
        return classEmbedding[(row * shape.width)..<((row + 1) * shape.width)]
    }
}
