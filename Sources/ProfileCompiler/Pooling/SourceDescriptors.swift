import TensorKernels

/// What is known of the sources of one cell at one boundary, old slots first, then new tokens.
///
/// N sources; R signs of the sketches, or three coordinates (row, column, scale) instead of values for geometric pooling.
struct SourceDescriptors {
    /// History positions of each source: how much it counts in a plain mean.
    var members: [Float]
    /// Mean attention mass of each source, 0 to 1.
    var mass: [Float]
    /// `[N, R]` attention sketches: squared norms are mean squared attention, dot products second moments.
    var attention: [Float]
    /// `[N, R]` value sketches: squared distances are mean squared distances at the residual stream.
    var values: [Float]
    /// `[N, R]` key sketches: squared distances are mean squared differences of logits.
    var keys: [Float]
    /// How much an error of this cell counts.
    var weight: Float = 1

    /// N.
    var count: Int { members.count }
}
