/// A picture with the tokens it was decoded from.
public struct GeneratedImage: Sendable {
    /// The picture.
    public let picture: Picture
    /// Choices `[scale][n_k, perToken]`: bits, or entries of the codebook.
    public let choices: [[Int32]]
}
