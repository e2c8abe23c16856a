/// One of the random projections that a calibration sums up: what a pooling plan knows of every history position.
///
/// A sketch stands for a vector that is too long to keep. Its R numbers are sums of the vector's elements, each under a
/// random sign: squared norms and dot products of sketches are those of the vectors in the mean, with a relative
/// standard error of about sqrt(2 / R) for a squared norm. The signs e are a function of the calibration's seed, the
/// prompt's place in the corpus and the place in the vector, and are the same for all cells, so sketches may be compared
/// and added across positions, cells and prompts.
///
/// Sums are kept in Float32, unlike all other statistics: the projection's own error of some per cent is a hundred
/// thousand times the rounding, and Infinity-2B at 1M with 32 signs has 1.29 thousand million of these numbers, 5.2 GB
/// (10.3 GB in Float64). Merging shards is commutative bit for bit and associative up to that rounding.
///
/// Legend: G branches, L layers, H heads, P history positions of a head over all scales, R signs; i a query of scale k.
public struct Sketch: Sendable, Hashable, CustomStringConvertible {
    /// The sketch's name in messages and in statistics files.
    public let name: String
    /// Whether there is one row for every scale's history, or one for the history of the last scale only.
    public let dependsOnScale: Bool
    /// Where the values of ``AttentionSketches`` lie.
    let values: any WritableKeyPath<AttentionSketches, [Float]> & Sendable

    /// `sum_i e_ir a_ip`: the column of attention that position p receives. `[G, L, H, P, R]`.
    public static let attention = Sketch(name: "attention", dependsOnScale: true, values: \.attention)
    /// `(sum_i e_ir q_i) . k_p`: the column of logits that position p's key causes. `[G, L, H, P, R]`.
    public static let key = Sketch(name: "key", dependsOnScale: true, values: \.key)
    /// `(sum_c e_cr gate_c W_o^h[c, :]) . v_p`: what position p's value adds to the residual stream under full attention,
    /// c its channels, gate the AdaLN factor (gamma1). `[G, L, H, H_{K-1}, R]`.
    public static let value = Sketch(name: "value", dependsOnScale: false, values: \.value)

    /// All sketches, in the order of the statistics file.
    public static let all: [Sketch] = [attention, key, value]

    /// The sketch's name.
    public var description: String { name }

    /// Two sketches are the same if their names are.
    public static func == (left: Sketch, right: Sketch) -> Bool { left.name == right.name }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
