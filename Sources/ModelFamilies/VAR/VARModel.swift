import Checkpoints
import ProfileFormat
import VernierCore

/// A VAR transformer with its image tokeniser: class to image, one of V codebook entries a token.
public struct VARModel: NextScaleModel {
    /// The transformer.
    public let transformer: VARTransformer
    /// The codebook, residual convolutions and decoder.
    public let tokenizer: VARTokenizer

    /// Joins the parts.
    /// - Precondition: the tokeniser has the shape's codebook.
    public init(transformer: VARTransformer, tokenizer: VARTokenizer) {
        precondition(
            tokenizer.codebookSize == transformer.shape.codebookSize
                && tokenizer.decoder.channels == transformer.shape.codeChannels,
            "the tokeniser has the shape's codebook")
        self.transformer = transformer
        self.tokenizer = tokenizer
    }

    /// Reads a model of these numbers.
    ///
    /// Throws as ``VARTransformer/init(shape:tensors:)`` and ``VARTokenizer/init(shape:tensors:)``.
    public init(
        _ numbers: VARConfiguration, schedule: ScaleSchedule, transformer: any TensorSource,
        tokenizer: any TensorSource
    ) throws {
        let shape = VARShape(
            depth: numbers.depth, width: numbers.width, heads: numbers.heads, mlpWidth: numbers.mlpWidth,
            classes: numbers.classes, codebookSize: numbers.codebookSize, codeChannels: numbers.codeChannels,
            schedule: schedule, tokenizerBaseChannels: numbers.baseChannels,
            tokenizerMultipliers: numbers.channelMultipliers)
        self.init(
            transformer: try VARTransformer(shape: shape, tensors: transformer),
            tokenizer: try VARTokenizer(shape: shape, tensors: tokenizer))
    }

    private var shape: VARShape { transformer.shape }

    public var stack: TransformerStack { transformer.stack }
    public var choices: ChoiceFormat { .codebook(shape.codebookSize) }
    public var pictureSize: (height: Int, width: Int) {
        let each = tokenizer.decoder.pixelsPerCode
        return (shape.codeGrid.height * each, shape.codeGrid.width * each)
    }

    /// The class embedding as it stands.
    public func conditioning(for conditions: [ImageCondition]) throws -> TransformerConditioning {
        TransformerConditioning(
            stack, condition: try conditions.flatMap { transformer.embedding(ofClass: try classIndex($0)) })
    }

    public func unconditional(for condition: ImageCondition) throws -> ImageCondition {
        _ = try classIndex(condition)
        return .noClass
    }

    private func classIndex(_ condition: ImageCondition) throws -> Int? {
        switch condition {
        case .imageClass(let index) where (0..<shape.classes).contains(index): return index
        case .noClass: return nil
        default:
            throw VernierError(
                .invalidArgument, at: "condition", expected: "a class from 0 to \(shape.classes - 1)",
                found: condition.summary)
        }
    }

    /// `1 + t` and `-t`, with `t = guidance * k / (K - 1)`: none at the first scale, all of it at the last.
    public func guidance(scale: Int, settings: SamplingSettings) -> GuidanceFactors {
        let ramp = Double(scale) / Double(max(shape.schedule.scaleCount - 1, 1))
        let t = Double(settings.guidance(scale: scale)) * ramp
        return GuidanceFactors(conditional: Float(1 + t), unconditional: Float(-t))
    }

    public func makeCodes(images: Int) -> ResidualCodes {
        ResidualCodes(
            images: images, schedule: shape.schedule, channels: shape.codeChannels, resizing: .bicubicAndArea,
            convolutions: tokenizer.convolutions)
    }

    public func writeVectors(
        of choices: UnsafePointer<Int32>, tokens: Int, into vectors: UnsafeMutablePointer<Float>
    ) { tokenizer.writeCodes(of: choices, count: tokens, into: vectors) }

    public var mixesCodes: Bool { true }

    public func writeVectors(
        mixedBy weights: UnsafePointer<Float>, tokens: Int, into vectors: UnsafeMutablePointer<Float>
    ) { tokenizer.writeCodes(mixedBy: weights, count: tokens, into: vectors) }

    public func decode(_ code: [Float], arena: MapArena) -> [Float] {
        tokenizer.decoder.decode(code, height: shape.codeGrid.height, width: shape.codeGrid.width, arena: arena)
    }
}
