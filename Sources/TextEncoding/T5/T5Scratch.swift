import TensorKernels

/// The activations of one encoding, allocated once and used by every block.
///
/// Legend: L tokens, C width, I inner width of attention, F hidden width, H heads.
struct T5Scratch {
    /// L, the number of tokens.
    let rows: Int
    /// The residual stream `[L, C]`.
    let hidden: FloatBuffer
    /// A normalised copy, later a layer's output `[L, C]`.
    let normalised: FloatBuffer
    /// Queries, keys and values `[L, 3I]`, then both halves of the feed-forward layer `[L, 2F]`.
    let wide: FloatBuffer
    /// Keys by head and channel `[H, dh, L]`.
    let keys: FloatBuffer
    /// One row of scores for each head `[H, L]`.
    let scores: FloatBuffer
    /// Attention's result `[L, I]`.
    let attended: FloatBuffer
    /// The gated hidden layer `[L, F]`.
    let gated: FloatBuffer

    init(rows: Int, _ configuration: T5Configuration) {
        self.rows = rows
        hidden = FloatBuffer(count: rows * configuration.width)
        normalised = FloatBuffer(count: rows * configuration.width)
        wide = FloatBuffer(count: rows * max(3 * configuration.innerWidth, 2 * configuration.mlpWidth))
        keys = FloatBuffer(count: rows * configuration.innerWidth)
        scores = FloatBuffer(count: rows * configuration.heads)
        attended = FloatBuffer(count: rows * configuration.innerWidth)
        gated = FloatBuffer(count: rows * configuration.mlpWidth)
    }
}
