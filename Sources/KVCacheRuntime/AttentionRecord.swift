/// What one head's attention over one map showed: the raw material of calibration and of tests.
///
/// Sums run over the queries of the map. Pointers are valid during the call only.
public struct AttentionRecord {
    /// Where: sequence (image + images * branch), layer, head, scale (0-based).
    public let sequence: Int
    public let layer: Int
    public let head: Int
    public let scale: Int
    /// Queries of the map, and slots of the history they saw.
    public let queryCount: Int
    public let historyCount: Int
    /// `[historyCount + queryCount]` attention mass of each key, history first.
    public let columnMass: UnsafeBufferPointer<Double>
    /// Sum of the K' largest probabilities in the history, for the observer's counts.
    public let topMass: UnsafeBufferPointer<Double>
    /// Sum of the rows' entropies, nats.
    public let entropy: Double
    /// Queries, keys and values `[queryCount, headWidth]` of the current map, as attended: normalised, scaled, rotated.
    public let queries: UnsafePointer<Float>
    public let currentKeys: UnsafePointer<Float>
    public let currentValues: UnsafePointer<Float>
    /// `[queryCount, historyCount + queryCount]` probabilities, if the observer asked for them.
    public let probabilities: UnsafeBufferPointer<Float>?
    /// `[historyCount, R]` random projections of the history's attention columns, `sum_i e_ir a_ip`, with the observer's
    /// signs e; nil without signs or without history.
    public let attentionSketch: UnsafeBufferPointer<Float>?
    /// `[historyCount, R]` of the history's keys, `(sum_i e_ir q_i) . k_p`; nil likewise.
    public let keySketch: UnsafeBufferPointer<Float>?
    /// Keys and values `[historyCount, headWidth]` of the history, as attended; nil without history, or if the cache
    /// does not hold them as plain float32 without biases, as the full cache does.
    public internal(set) var historyKeys: UnsafePointer<Float>?
    public internal(set) var historyValues: UnsafePointer<Float>?
}
