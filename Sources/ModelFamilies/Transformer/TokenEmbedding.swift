import Checkpoints
import KVCacheRuntime
import ProfileFormat
import TensorKernels

/// Turns a map's input into the hidden state before the first block.
///
/// The first map starts from the condition; later maps from what is drawn so far. To both comes an offset: the level
/// embedding of the scale, and with learned positions that of the token.
struct TokenEmbedding: Sendable {
    private let word: LinearLayer
    private let start: [Float]  // pos_start [C]
    private let offsets: [Float]  // [scales, C], or [T, C] with learned positions
    private let isPerToken: Bool
    private let width: Int

    init(_ tensors: any TensorSource, layout: StackLayout) throws {
        let c = layout.width, schedule = layout.schedule
        width = c
        word = try LinearLayer(tensors, "word_embed", c, layout.inputs)
        start = try tensors.float32("pos_start")
        isPerToken = layout.hasTokenPositions
        let levels = try tensors.float32("lvl_embed.weight")
        guard layout.hasTokenPositions else {
            offsets = levels
            return
        }
        var positions = try tensors.float32("pos_1LC")
        for scale in 0..<schedule.scaleCount {
            for token in schedule.historyTokens(scale)..<schedule.historyTokens(scale + 1) {
                for i in 0..<c { positions[token * c + i] = levels[scale * c + i] + positions[token * c + i] }
            }
        }
        offsets = positions
    }

    /// Writes `hidden` `[G*B, n_k, C]`. `input` `[B, n_k, inputs]` is the same for every branch; without it the map
    /// starts from `condition` `[G*B, C]`.
    func embed(
        scale: Int, input: UnsafePointer<Float>?, condition: [Float], geometry: CacheGeometry,
        into hidden: UnsafeMutablePointer<Float>
    ) {
        let c = width, tokens = geometry.schedule.tokenCount(scale)
        if let input {
            let rows = geometry.images * tokens
            word(input, rows: rows, into: hidden)
            for branch in 1..<max(geometry.branches, 1) {
                (hidden + branch * rows * c).update(from: hidden, count: rows * c)
            }
        } else {
            // One row a sequence; a first map of more tokens starts from the same row everywhere.
            for row in 0..<(geometry.sequences * tokens) {
                for i in 0..<c { hidden[row * c + i] = condition[row / tokens * c + i] + start[i] }
            }
        }
        let first = isPerToken ? geometry.schedule.historyTokens(scale) : scale
        for row in 0..<(geometry.sequences * tokens) {
            let offset = (isPerToken ? first + row % tokens : first) * c
            for i in 0..<c { hidden[row * c + i] += offsets[offset + i] }
        }
    }
}
