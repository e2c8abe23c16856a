/// A picture with the tokens it was decoded from.
public struct GeneratedImage: Sendable {
    /// The picture.
    public let picture: Picture
    /// Bits `[scale][n_k, D]`.
    public let bits: [[UInt8]]
}
