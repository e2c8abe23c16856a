import Checkpoints
import KVCacheRuntime
import ProfileFormat
import TensorKernels

/// The transformer proper of either family: embedding, blocks with AdaLN, head (`models.md` sections 2.5 and 3.5).
/// Immutable; shared by any number of sessions.
public final class TransformerStack: Sendable {
    /// The scale schedule.
    public let schedule: ScaleSchedule
    /// C, H, and F, the hidden width of the MLP.
    public let width: Int
    public let heads: Int
    public let mlpWidth: Int
    let embedding: TokenEmbedding
    let rotary: RotaryTables?
    let blocks: [TransformerBlock]
    let sharedModulation: LinearLayer?  // shared_ada_lin [6C, C]
    let headModulation: LinearLayer  // head_nm.ada_lin [2C, C]
    let head: LinearLayer

    /// Blocks, L.
    public var depth: Int { blocks.count }
    /// Width of a head, D_h = C / H.
    public var headWidth: Int { width / heads }

    /// Bytes of the packed weights that every scale reads.
    public var weightBytes: Int {
        blocks.reduce(head.byteCount) { sum, block in
            let cross = block.crossAttention.map { [$0.query, $0.projection] } ?? []
            return ([block.qkv, block.attentionProjection, block.mlpIn, block.mlpOut] + cross)
                .reduce(sum) { $0 + $1.byteCount }
        }
    }

    /// Reads and packs the weights; the layout's requirements must have been checked.
    init(_ tensors: any TensorSource, layout: StackLayout) throws {
        let c = layout.width
        schedule = layout.schedule
        width = c
        heads = layout.heads
        mlpWidth = layout.mlpWidth
        embedding = try TokenEmbedding(tensors, layout: layout)
        rotary =
            layout.hasRotaryPositions ? RotaryTables(schedule: layout.schedule, headWidth: c / layout.heads) : nil
        sharedModulation = layout.sharesModulation ? try LinearLayer(tensors, "shared_ada_lin.1", 6 * c, c) : nil
        headModulation = try LinearLayer(tensors, "head_nm.ada_lin.1", 2 * c, c)
        head = try LinearLayer(tensors, "head", layout.outputs, c)
        blocks = try layout.blockPrefixes.map { try TransformerBlock(tensors, prefix: $0, layout: layout) }
    }

    /// The weight `W_o` `[C, C]` of a layer's attention projection; `W_o^h` is its columns `h D ..< (h + 1) D`.
    public func attentionProjectionWeight(layer: Int) -> [Float] { blocks[layer].attentionProjection.weight }

    /// The sizes of a cache for batches of so many images.
    public func geometry(branches: Int, images: Int) -> CacheGeometry {
        CacheGeometry(
            schedule: schedule, layers: depth, heads: heads, headWidth: headWidth, branches: branches, images: images)
    }

    /// The capacities of a cache that drops nothing.
    public var fullCapacities: CellCapacities { .full(schedule: schedule, layers: depth, heads: heads) }
}
