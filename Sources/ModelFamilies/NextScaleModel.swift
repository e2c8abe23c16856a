import TensorKernels

/// A model that draws a picture map by map: its transformer, and what turns its choices into a picture.
///
/// Everything above this module meets the families through it alone. Legend: B images, n_k tokens of map k, C width, d
/// channels of the tokeniser's code.
public protocol NextScaleModel: Sendable {
    /// Embedding, blocks and head.
    var stack: TransformerStack { get }
    /// What is chosen for every token.
    var choices: ChoiceFormat { get }
    /// Pixels of a picture.
    var pictureSize: (height: Int, width: Int) { get }

    /// Conditions a batch, one condition a sequence.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for a condition that the model does not know.
    func conditioning(for conditions: [ImageCondition]) throws -> TransformerConditioning
    /// What guidance compares a condition with. Throws as ``conditioning(for:)`` does.
    func unconditional(for condition: ImageCondition) throws -> ImageCondition
    /// The factors of guidance at a scale.
    func guidance(scale: Int, settings: SamplingSettings) -> GuidanceFactors

    /// An empty sum of codes.
    func makeCode() -> ResidualCode
    /// The codes `[n_k, channels]` of a map's choices `[n_k, perToken]`.
    func vectors(of choices: [Int32]) -> [Float]
    /// The codes of a map whose choices are mixed with these weights `[n_k, values]`; nil if the family has no such mode.
    func vectors(mixedBy weights: [Float]) -> [Float]?
    /// Decodes a finished sum of codes to a picture `[3, H, W]` in [-1, 1], clamped.
    func decode(_ code: [Float]) -> [Float]
}

extension NextScaleModel {
    public func vectors(mixedBy weights: [Float]) -> [Float]? { nil }
}
