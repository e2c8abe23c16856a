import ArgumentParser
import Generation
import ModelFamilies
import ProfileFormat
import VernierCore

/// How tokens are drawn; whatever is left out comes from the model's `config.json`.
struct SamplingOptions: ParsableArguments {
    @Option(
        help: """
            Strength of classifier-free guidance, one number or one a scale with commas between them, the last for all \
            later ones; none is 1 for Infinity, 0 for VAR, where it grows over the scales (default: the model's).
            """)
    var guidance: ScaleNumbers?
    @Option(
        help: """
            Where guidance acts, with commas between: 0 on the logits, -i behind the i-th block from the end.
            """, transform: layers)
    var guidanceLayers: GuidancePlacement = .logits
    @Option(help: "Sampling temperature, above 0, one number or one a scale (default: the model's).")
    var temperature: ScaleNumbers?
    @Option(help: "Keep the N likeliest values; 0 keeps all (default: the model's).")
    var topK: Int?
    @Option(
        help: "Keep the likeliest values that hold this share of probability; 0 or 1 keeps all (default: the model's).")
    var topP: Float?

    func validate() throws {
        if let wrong = guidance?.values.first(where: { !($0.isFinite && $0 >= 0) }) {
            throw ValidationError("--guidance: expected a finite number of at least 0, found \(wrong).")
        }
        if let wrong = temperature?.values.first(where: { !($0.isFinite && $0 > 0) }) {
            throw ValidationError("--temperature: expected a finite number above 0, found \(wrong).")
        }
        try requireAtLeast(0, topK, option: "--top-k")
        if let topP, !(topP >= 0 && topP <= 1) {
            throw ValidationError("--top-p: expected a number from 0 to 1, found \(topP).")
        }
    }

    /// The settings for a model.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for more numbers than scales or a layer that the model lacks.
    func settings(for model: ImageModel) throws -> SamplingSettings {
        var settings = model.defaultSettings
        if let guidance { settings.guidance = guidance.values }
        if let temperature { settings.temperature = temperature.values }
        if let topK { settings.topK = topK }
        if let topP { settings.topP = topP }
        settings.placement = guidanceLayers
        try settings.requireFit(scaleCount: model.schedule.scaleCount, depth: model.network.stack.depth)
        return settings
    }

    @Sendable private static func layers(_ text: String) throws -> GuidancePlacement {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let layers = parts.compactMap { Int($0) }
        guard layers.count == parts.count else {
            throw ValidationError("expected whole numbers with commas between, found '\(text)'")
        }
        return try GuidancePlacement(layers: layers)
    }
}
