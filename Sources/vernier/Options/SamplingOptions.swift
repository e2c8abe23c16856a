import ArgumentParser
import Generation
import ModelFamilies

/// How tokens are drawn; whatever is left out comes from the model's `config.json`.
struct SamplingOptions: ParsableArguments {
    @Option(
        help: """
            Strength of classifier-free guidance; none is 1 for Infinity, 0 for VAR, where it grows over the scales \
            (default: the model's).
            """)
    var guidance: Float?
    @Option(help: "Sampling temperature, above 0 (default: the model's).")
    var temperature: Float?
    @Option(help: "Keep the N likeliest values; 0 keeps all (default: the model's).")
    var topK: Int?
    @Option(
        help: "Keep the likeliest values that hold this share of probability; 0 or 1 keeps all (default: the model's).")
    var topP: Float?

    func validate() throws {
        if let guidance, !(guidance.isFinite && guidance >= 0) {
            throw ValidationError("--guidance: expected a finite number of at least 0, found \(guidance).")
        }
        if let temperature, !(temperature.isFinite && temperature > 0) {
            throw ValidationError("--temperature: expected a finite number above 0, found \(temperature).")
        }
        try requireAtLeast(0, topK, option: "--top-k")
        if let topP, !(topP >= 0 && topP <= 1) {
            throw ValidationError("--top-p: expected a number from 0 to 1, found \(topP).")
        }
    }

    func settings(for model: ImageModel) -> SamplingSettings {
        var settings = model.defaultSettings
        if let guidance { settings.guidance = [guidance] }
        if let temperature { settings.temperature = [temperature] }
        if let topK { settings.topK = topK }
        if let topP { settings.topP = topP }
        return settings
    }
}
