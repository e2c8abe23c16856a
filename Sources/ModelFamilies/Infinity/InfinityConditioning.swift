import TensorKernels

/// What the text contributes to one batch, computed once per image (`models.md` section 3.4).
public struct InfinityConditioning: Sendable {
    /// Pooled text `[G*B, C]`: the condition, and the start token before its position.
    public let pooled: [Float]
    /// Projected text rows of each sequence, `[count, C]`.
    public let context: [[Float]]

    /// Conditions a batch on `text`, one entry a sequence.
    ///
    /// For an unconditional sequence without a negative prompt pass ``InfinityTransformer/unconditionalRows(count:)``
    /// with the length of its conditional text.
    /// - Precondition: every entry has the transformer's text width.
    public init(_ transformer: InfinityTransformer, text: [TextRows]) {
        let shape = transformer.shape, c = shape.width, ct = shape.textWidth, hp = shape.textPoolHeads
        precondition(text.allSatisfy { $0.width == ct }, "every entry has the transformer's text width")
        var pooled: [Float] = [], context: [[Float]] = []
        for rows in text {
            var normed = [Float](repeating: 0, count: rows.values.count)
            normed.withUnsafeMutableBufferPointer { normed in
                guard let to = normed.baseAddress else { return }
                Kernels.rmsNorm(rows.values, rows: rows.count, width: ct, weight: transformer.textNorm, into: to)
            }
            // One learned query a pooling head over this sequence's own rows.
            let keyValue = transformer.poolKeyValue(normed, rows: rows.count)
            let d = c / hp, scale = 1 / Float(d).squareRoot()
            var attended = [Float](repeating: 0, count: c)
            for head in 0..<hp {
                var weights = (0..<rows.count).map { row in
                    (0..<d).reduce(Float(0)) {
                        $0 + transformer.poolQuery[head * d + $1] * keyValue[row * 2 * c + head * d + $1]
                    } * scale
                }
                weights.withUnsafeMutableBufferPointer {
                    if let start = $0.baseAddress { Kernels.softmaxRows(start, rows: 1, width: rows.count) }
                }
                for row in 0..<rows.count {
                    for i in 0..<d {
                        attended[head * d + i] += weights[row] * keyValue[row * 2 * c + c + head * d + i]
                    }
                }
            }
            pooled += transformer.poolProjection(attended, rows: 1)
            var hidden = transformer.contextIn(normed, rows: rows.count)
            hidden.withUnsafeMutableBufferPointer {
                if let start = $0.baseAddress { Kernels.geluTanh(start, count: rows.count * c) }
            }
            context.append(transformer.contextOut(hidden, rows: rows.count))
        }
        self.pooled = pooled
        self.context = context
    }
}

extension InfinityTransformer {
    /// The learned "empty text" of a given length: the first rows of `cfg_uncond`.
    /// - Precondition: `count` is 1...``maximumTextTokens``.
    public func unconditionalRows(count: Int) -> TextRows {
        precondition((1...maximumTextTokens).contains(count), "count is 1...maximumTextTokens")
        return TextRows(
            count: count, width: shape.textWidth, values: Array(unconditionalText[..<(count * shape.textWidth)]))
    }
}
