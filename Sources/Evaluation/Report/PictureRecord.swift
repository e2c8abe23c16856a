/// What was measured on one picture: one prompt, one seed, one cache policy.
///
/// Whatever was not measured is nil; fidelity is nil for the full cache itself, which is the reference.
public struct PictureRecord: Sendable, Hashable {
    /// The prompt's index in the report.
    public let prompt: Int
    /// The seed's index in the report.
    public let seed: Int
    /// Mean square of the byte differences from the full cache's picture; 0 for an equal one.
    public var meanSquaredError: Double?
    /// Structural similarity to the full cache's picture.
    public var structuralSimilarity: Double?
    /// Share of choices (bits or tokens) equal to the full cache's.
    public var bitAgreement: Double?
    /// Mean divergence of the distributions of choices from the full cache's on its own choices, in nats.
    public var forcedDecodingKLNats: Double?
    /// The same for each scale by itself; empty if it was not measured.
    public var forcedDecodingKLNatsByScale: [Double] = []
    /// What the picture shows of its scene.
    public var sceneScore: SceneScore?
    /// Wall time of the generation.
    public var seconds: Double?

    /// Starts a record without measurements.
    public init(prompt: Int, seed: Int) {
        self.prompt = prompt
        self.seed = seed
    }
}
