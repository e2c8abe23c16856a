import KVCacheRuntime
import TensorKernels

/// What the conditions of one batch contribute, computed once per image: AdaLN vectors, the head's modulation, and the
/// keys and values of every block's attention to text.
public final class TransformerConditioning {
    /// Sequences G*B, branch-major.
    let sequences: Int
    /// The condition of each sequence, `[sequences, C]`: the start token before its position.
    let condition: [Float]
    /// AdaLN vectors `[layer][sequence, 6, C]`: gamma1, gamma2, scale1, scale2, shift1, shift2.
    let modulation: [[Float]]
    /// Head modulation `[sequences, 2, C]`: scale, shift.
    let headModulation: [Float]
    /// Text rows of each sequence; empty without attention to text.
    let textCounts: [Int]
    /// Keys and values of the text `[layer][sequence]`, each `[H, count, D]`.
    let textKeys: [[[Float]]]
    let textValues: [[[Float]]]

    /// Conditions a batch on one vector a sequence, `[sequences, C]`, and on the text `[count, C]` of each sequence, if
    /// the blocks attend to one.
    init(_ stack: TransformerStack, condition: [Float], text: [[Float]] = []) {
        let c = stack.width, sequences = condition.count / c
        self.sequences = sequences
        self.condition = condition
        textCounts = text.map { $0.count / c }
        var activated = condition
        activated.withUnsafeMutableBufferPointer {
            if let start = $0.baseAddress { Kernels.silu(start, count: sequences * c, into: start) }
        }
        headModulation = stack.headModulation(activated, rows: sequences)
        let shared = stack.sharedModulation.map { $0(activated, rows: sequences) } ?? []
        modulation = stack.blocks.map { block in
            switch block.modulation {
            case .own(let layer): return layer(activated, rows: sequences)
            case .shared(let offset):
                return (0..<sequences).flatMap { sequence in
                    (0..<(6 * c)).map { shared[sequence * 6 * c + $0] + offset[$0] }
                }
            }
        }
        var keys: [[[Float]]] = [], values: [[[Float]]] = []
        for block in stack.blocks {
            guard let cross = block.crossAttention else { continue }
            let split = text.map { context in
                Self.split(
                    cross.keyValue(context, rows: context.count / c), heads: stack.heads, headWidth: stack.headWidth)
            }
            keys.append(split.map(\.keys))
            values.append(split.map(\.values))
        }
        textKeys = keys
        textValues = values
    }

    /// `[rows, 2C]` -> keys and values `[H, rows, D]`.
    private static func split(
        _ keyValue: [Float], heads: Int, headWidth d: Int
    ) -> (keys: [Float], values: [Float]) {
        let c = heads * d, rows = keyValue.count / (2 * c)
        var keys = [Float](), values = [Float]()
        keys.reserveCapacity(rows * c)
        values.reserveCapacity(rows * c)
        for head in 0..<heads {
            for row in 0..<rows {
                let start = row * 2 * c + head * d
                keys += keyValue[start..<(start + d)]
                values += keyValue[(start + c)..<(start + c + d)]
            }
        }
        return (keys, values)
    }

    /// Tells an observer gamma1 `[C]` of every sequence and layer.
    func reportGates(to observer: any AttentionObserver) {
        let width = condition.count / max(sequences, 1)
        for (layer, vectors) in modulation.enumerated() {
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
