import VernierCore

/// How tokens are drawn: guidance, temperature, and what top-k and top-p cut off.
public struct SamplingSettings: Sendable, Hashable {
    /// Guidance weight per scale; the last entry serves all later scales. 1 is no guidance for Infinity; for VAR, whose
    /// guidance grows with the scale up to this, it is 0.
    public var guidance: [Float]
    /// Temperature per scale, likewise.
    public var temperature: [Float]
    /// Keep the k likeliest values of a choice (0: all); a bit has two.
    public var topK: Int
    /// Keep the likeliest values that hold this share of probability (0: all).
    public var topP: Float
    /// Where guidance acts.
    public var placement = GuidancePlacement.logits
    /// VAR's `more_smooth`: pictures are decoded from mixtures of codes in place of the drawn ones. For showing only.
    public var mixesCodes = false

    /// Makes settings that are the same at every scale.
    public init(guidance: Float, temperature: Float, topK: Int, topP: Float) {
        self.init(guidance: [guidance], temperature: [temperature], topK: topK, topP: topP)
    }

    /// Makes settings scale by scale.
    /// - Precondition: `guidance` and `temperature` are not empty.
    public init(guidance: [Float], temperature: [Float], topK: Int, topP: Float) {
        precondition(!guidance.isEmpty && !temperature.isEmpty, "guidance and temperature are not empty")
        self.guidance = guidance
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
    }

    /// Checks that the settings are for a model of so many scales and blocks.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for more numbers than scales, and as
    /// ``GuidancePlacement/requireFit(depth:)`` does.
    public func requireFit(scaleCount: Int, depth: Int) throws {
        for (name, values) in [("guidance", guidance), ("temperature", temperature)] where values.count > scaleCount {
            throw VernierError(
                .invalidArgument, at: name, expected: "at most \(scaleCount) numbers, one a scale",
                found: "\(values.count)")
        }
        try placement.requireFit(depth: depth)
    }

    /// The guidance of a scale.
    public func guidance(scale: Int) -> Float { guidance[min(scale, guidance.count - 1)] }
    /// The temperature of a scale.
    public func temperature(scale: Int) -> Float { temperature[min(scale, temperature.count - 1)] }
}
