import Checkpoints
import ProfileFormat
import VernierCore

/// An Infinity transformer with the decoder of its image tokeniser: text to image, bit by bit.
public struct InfinityModel: NextScaleModel {
    /// The transformer.
    public let transformer: InfinityTransformer
    /// The image decoder.
    public let decoder: ImageDecoder

    /// Joins the parts.
    /// - Precondition: the decoder's channels are the shape's tokeniser bits.
    public init(transformer: InfinityTransformer, decoder: ImageDecoder) {
        precondition(
            decoder.channels == transformer.shape.tokenizerBits, "the decoder's channels are the shape's tokeniser bits"
        )
        self.transformer = transformer
        self.decoder = decoder
    }

    /// Reads a model of these numbers.
    ///
    /// Throws as ``InfinityTransformer/init(shape:tensors:)`` and
    /// ``ImageDecoder/init(kind:channels:baseChannels:multipliers:tensors:)``.
    public init(
        _ numbers: InfinityConfiguration, schedule: ScaleSchedule, transformer: any TensorSource,
        tokenizer: any TensorSource
    ) throws {
        let sizes = numbers.transformer
        let shape = InfinityShape(
            depth: sizes.depth, blockChunks: sizes.blockChunks, width: sizes.width, heads: sizes.heads,
            mlpWidth: sizes.mlpWidth, textWidth: sizes.textWidth, textPoolHeads: sizes.textPoolHeads, bits: sizes.bits,
            schedule: schedule, spatialPatchify: numbers.tokenizer.spatialPatchify,
            tokenizerBaseChannels: numbers.tokenizer.baseChannels,
            tokenizerMultipliers: numbers.tokenizer.channelMultipliers)
        self.init(
            transformer: try InfinityTransformer(shape: shape, tensors: transformer),
            decoder: try ImageDecoder(
                kind: .binary, channels: shape.tokenizerBits, baseChannels: shape.tokenizerBaseChannels,
                multipliers: shape.tokenizerMultipliers, tensors: tokenizer))
    }

    private var shape: InfinityShape { transformer.shape }

    public var stack: TransformerStack { transformer.stack }
    public var choices: ChoiceFormat { .bits(shape.bits) }
    public var pictureSize: (height: Int, width: Int) {
        let grid = shape.codeGrid
        return (grid.height * decoder.pixelsPerCode, grid.width * decoder.pixelsPerCode)
    }

    public func conditioning(for conditions: [ImageCondition]) throws -> TransformerConditioning {
        let text = InfinityConditioning(transformer, text: try conditions.map(rows))
        return TransformerConditioning(stack, condition: text.pooled, text: text.context)
    }

    /// The learned empty text of the same length.
    public func unconditional(for condition: ImageCondition) throws -> ImageCondition {
        let count = try rows(condition).count
        guard count <= transformer.maximumTextTokens else {
            throw VernierError(
                .invalidArgument, at: "prompt", expected: "at most \(transformer.maximumTextTokens) tokens",
                found: "\(count)", remedy: "Shorten the prompt.")
        }
        return .text(transformer.unconditionalRows(count: count))
    }

    private func rows(_ condition: ImageCondition) throws -> TextRows {
        guard case .text(let rows) = condition, rows.width == shape.textWidth else {
            throw VernierError(
                .invalidArgument, at: "condition", expected: "a text of width \(shape.textWidth)",
                found: condition.summary)
        }
        return rows
    }

    /// `g` and `1 - g` at every scale.
    public func guidance(scale: Int, settings: SamplingSettings) -> GuidanceFactors {
        let guidance = settings.guidance(scale: scale)
        return GuidanceFactors(conditional: guidance, unconditional: 1 - guidance)
    }

    public func makeCodes(images: Int) -> ResidualCodes {
        ResidualCodes(
            images: images, schedule: shape.schedule, channels: shape.tokenizerBits, resizing: .bilinear,
            patchifies: shape.spatialPatchify)
    }

    /// Codes `(2 bit - 1) / sqrt(d)`.
    public func writeVectors(
        of choices: UnsafePointer<Int32>, tokens: Int, into vectors: UnsafeMutablePointer<Float>
    ) {
        let magnitude = 1 / Float(shape.tokenizerBits).squareRoot()
        for place in 0..<tokens * shape.bits { vectors[place] = choices[place] == 0 ? -magnitude : magnitude }
    }

    public func decode(_ code: [Float], arena: MapArena) -> [Float] {
        decoder.decode(code, height: shape.codeGrid.height, width: shape.codeGrid.width, arena: arena)
    }
}
