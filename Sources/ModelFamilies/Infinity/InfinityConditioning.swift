import KVCacheRuntime
import TensorKernels

/// What the text contributes to one batch, computed once per image (`models.md` section 3.4): AdaLN vectors, the head's
/// modulation, and the keys and values of every block's cross-attention.
public final class InfinityConditioning {
    /// Sequences G*B, branch-major.
    public let sequences: Int
    /// Pooled text `[sequences, C]`: the condition, and the start token before its position.
    public let pooled: [Float]
    /// Projected text rows of each sequence, `[count, C]`.
    public let context: [[Float]]
    /// AdaLN vectors `[layer][sequence, 6, C]`: gamma1, gamma2, scale1, scale2, shift1, shift2.
    let ada: [[Float]]
    /// Head modulation `[sequences, 2, C]`: scale, shift.
    let headAda: [Float]
    let textCounts: [Int]
    /// Cross-attention keys and values `[layer][sequence]`, each `[H, count, D]`.
    let crossKeys: [[[Float]]]
    let crossValues: [[[Float]]]

    /// Conditions a batch on `text`, one entry a sequence.
    ///
    /// For an unconditional sequence without a negative prompt pass ``InfinityTransformer/unconditionalRows(count:)``
    /// with the length of its conditional text.
    /// - Precondition: every entry has the transformer's text width.
    public init(_ transformer: InfinityTransformer, text: [TextRows]) {
        let shape = transformer.shape, c = shape.width, ct = shape.textWidth, hp = shape.textPoolHeads
        precondition(text.allSatisfy { $0.width == ct }, "every entry has the transformer's text width")
        sequences = text.count
        textCounts = text.map(\.count)
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
        var activated = pooled
        activated.withUnsafeMutableBufferPointer {
            if let start = $0.baseAddress { Kernels.silu(start, count: text.count * c, into: start) }
        }
        let shared = transformer.sharedAda(activated, rows: text.count)
        headAda = transformer.headAda(activated, rows: text.count)
        ada = transformer.blocks.map { block in
            (0..<text.count).flatMap { sequence in
                (0..<(6 * c)).map { shared[sequence * 6 * c + $0] + block.adaOffset[$0] }
            }
        }
        let heads = shape.heads, headWidth = shape.headWidth
        var keys: [[[Float]]] = [], values: [[[Float]]] = []
        for block in transformer.blocks {
            var layerKeys: [[Float]] = [], layerValues: [[Float]] = []
            for (rows, context) in zip(text, context) {
                let keyValue = block.crossKeyValue(context, rows: rows.count)
                var k = [Float](), v = [Float]()
                k.reserveCapacity(rows.count * c)
                v.reserveCapacity(rows.count * c)
                for head in 0..<heads {
                    for row in 0..<rows.count {
                        let start = row * 2 * c + head * headWidth
                        k += keyValue[start..<(start + headWidth)]
                        v += keyValue[(start + c)..<(start + c + headWidth)]
                    }
                }
                layerKeys.append(k)
                layerValues.append(v)
            }
            keys.append(layerKeys)
            values.append(layerValues)
        }
        crossKeys = keys
        crossValues = values
    }
}

extension InfinityConditioning {
    /// Tells an observer gamma1 `[C]` of every sequence and layer.
    func reportGates(to observer: any AttentionObserver) {
        let width = pooled.count / max(sequences, 1)
        for (layer, vectors) in ada.enumerated() {
            vectors.withUnsafeBufferPointer { vectors in
                for sequence in 0..<sequences {
                    let first = sequence * 6 * width
                    observer.observeGate(
                        UnsafeBufferPointer(rebasing: vectors[first..<(first + width)]), sequence: sequence,
                        layer: layer)
                }
            }
        }
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
