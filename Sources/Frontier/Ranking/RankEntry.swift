import ProfileCompiler
import ProfileFormat

/// One random profile: what was predicted of it and what was measured.
public struct RankEntry: Sendable {
    /// `equal-03` or `mixed-17`.
    public let name: String
    /// The profile.
    public let profile: Profile
    /// What its statistics say it costs.
    public let predicted: PredictedDistortion
    /// Forced-decoding divergence, nats a choice, mean over prompts.
    public let divergence: Double
    /// The same for each scale by itself.
    public let divergenceByScale: [Double]
    /// PSNR in dB against the full cache, mean over prompts.
    public let psnrDecibels: Double
}
