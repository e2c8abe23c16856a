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

    /// Empty sums of codes for a batch of images.
    func makeCodes(images: Int) -> ResidualCodes
    /// Writes the codes `[tokens, channels]` of choices `[tokens, perToken]`.
    func writeVectors(of choices: UnsafePointer<Int32>, tokens: Int, into vectors: UnsafeMutablePointer<Float>)
    /// Whether the family can decode mixtures of codes.
    var mixesCodes: Bool { get }
    /// Writes the codes `[tokens, channels]` of choices that are mixed with weights `[tokens, values]`; asked for only if
    /// ``mixesCodes``.
    func writeVectors(mixedBy weights: UnsafePointer<Float>, tokens: Int, into vectors: UnsafeMutablePointer<Float>)
    /// Decodes a finished sum of codes to a picture `[3, H, W]` in [-1, 1], clamped, in memory that `arena` keeps.
    func decode(_ code: [Float], arena: MapArena) -> [Float]
}

extension NextScaleModel {
    public var mixesCodes: Bool { false }
    public func writeVectors(
        mixedBy weights: UnsafePointer<Float>, tokens: Int, into vectors: UnsafeMutablePointer<Float>
    ) {}

    /// Decodes in memory of its own.
    public func decode(_ code: [Float]) -> [Float] { decode(code, arena: MapArena()) }
}
