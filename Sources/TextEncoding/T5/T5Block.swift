import Checkpoints
import TensorKernels

/// One block of a T5 encoder: self-attention and a gated feed-forward layer, each on a normalised copy and added.
///
/// Legend: L tokens, C width, I inner width of attention, F hidden width.
struct T5Block: Sendable {
    private let configuration: T5Configuration
    private let attentionNorm: [Float]  // [C]
    private let queryKeyValue: LinearLayer  // [3I, C], rows q, k, v
    private let attentionOutput: LinearLayer  // [C, I]
    private let feedForwardNorm: [Float]  // [C]
    private let gateAndValue: LinearLayer  // [2F, C], rows wi_0 (through GELU), wi_1
    private let feedForwardOutput: LinearLayer  // [C, F]

    /// The names below a block's prefix, with their shapes.
    static func shapes(_ configuration: T5Configuration) -> [(name: String, shape: [Int])] {
        let (width, inner, hidden) = (configuration.width, configuration.innerWidth, configuration.mlpWidth)
        return [
            ("layer.0.layer_norm.weight", [width]), ("layer.0.SelfAttention.q.weight", [inner, width]),
            ("layer.0.SelfAttention.k.weight", [inner, width]), ("layer.0.SelfAttention.v.weight", [inner, width]),
            ("layer.0.SelfAttention.o.weight", [width, inner]), ("layer.1.layer_norm.weight", [width]),
            ("layer.1.DenseReluDense.wi_0.weight", [hidden, width]),
            ("layer.1.DenseReluDense.wi_1.weight", [hidden, width]),
            ("layer.1.DenseReluDense.wo.weight", [width, hidden]),
        ]
    }

    /// Loads the block from tensors named without the block's prefix.
    init(_ tensors: some TensorSource, _ configuration: T5Configuration) throws {
        let (width, inner, hidden) = (configuration.width, configuration.innerWidth, configuration.mlpWidth)
        func stack(_ names: [String], outputs: Int, inputs: Int) throws -> LinearLayer {
            let rows = try StackedRows(tensors, names, count: outputs, width: inputs)
            defer { rows.release() }
            return try LinearLayer(
                outputs: outputs, inputs: inputs, fitBFloat16: rows.areBFloat16, reading: rows.copyFloat32)
        }
        self.configuration = configuration
        attentionNorm = try tensors.float32("layer.0.layer_norm.weight", shape: [width])
        queryKeyValue = try stack(
            ["q", "k", "v"].map { "layer.0.SelfAttention.\($0).weight" }, outputs: 3 * inner, inputs: width)
        attentionOutput = try stack(["layer.0.SelfAttention.o.weight"], outputs: width, inputs: inner)
        feedForwardNorm = try tensors.float32("layer.1.layer_norm.weight", shape: [width])
        gateAndValue = try stack(
            ["wi_0", "wi_1"].map { "layer.1.DenseReluDense.\($0).weight" }, outputs: 2 * hidden, inputs: width)
        feedForwardOutput = try stack(["layer.1.DenseReluDense.wo.weight"], outputs: width, inputs: hidden)
    }

    /// Runs the block in place on `scratch.hidden` `[L, C]`.
    ///
    /// `bias` `[H, 2L - 1]` holds what each head adds to the score of a key at distance `index - (L - 1)`.
    func apply(_ scratch: T5Scratch, bias: [Float]) {
        let (rows, width, hidden) = (scratch.rows, configuration.width, configuration.mlpWidth)
        Kernels.rmsNorm(
            scratch.hidden.pointer, rows: rows, width: width, epsilon: configuration.epsilon, weight: attentionNorm,
            into: scratch.normalised.pointer)
        queryKeyValue(scratch.normalised.pointer, rows: rows, into: scratch.wide.pointer)
        attend(scratch, bias: bias)
        attentionOutput(scratch.attended.pointer, rows: rows, into: scratch.normalised.pointer)
        Kernels.addGated(scratch.hidden.pointer, scratch.normalised.pointer, rows: rows, width: width)

        Kernels.rmsNorm(
            scratch.hidden.pointer, rows: rows, width: width, epsilon: configuration.epsilon, weight: feedForwardNorm,
            into: scratch.normalised.pointer)
        gateAndValue(scratch.normalised.pointer, rows: rows, into: scratch.wide.pointer)
        for row in 0..<rows {
            let gate = scratch.wide.pointer + row * 2 * hidden
            let gated = scratch.gated.pointer + row * hidden
            Kernels.geluTanh(gate, count: hidden)
            gated.update(from: gate, count: hidden)
            Kernels.multiply(gated, gate + hidden, count: hidden)
        }
        feedForwardOutput(scratch.gated.pointer, rows: rows, into: scratch.normalised.pointer)
        Kernels.addGated(scratch.hidden.pointer, scratch.normalised.pointer, rows: rows, width: width)
    }

    /// Attention without a score scale: `softmax(q k^T + bias) v`, head by head, into `scratch.attended` `[L, I]`.
    private func attend(_ scratch: T5Scratch, bias: [Float]) {
        let (rows, inner, headWidth) = (scratch.rows, configuration.innerWidth, configuration.headWidth)
        Parallel.forEach(parts: configuration.heads) { head in
            let keys = scratch.keys.pointer + head * headWidth * rows  // [dh, L]
            let scores = scratch.scores.pointer + head * rows
            let first = scratch.wide.pointer + head * headWidth
            for row in 0..<rows {
                let key = first + row * 3 * inner + inner
                for channel in 0..<headWidth { keys[channel * rows + row] = key[channel] }
            }
            for row in 0..<rows {
                let query = first + row * 3 * inner
                for other in 0..<rows { scores[other] = 0 }
                for channel in 0..<headWidth {
                    let factor = query[channel]
                    let column = keys + channel * rows
                    for other in 0..<rows { scores[other] += factor * column[other] }
                }
                let biasStart = head * (2 * rows - 1) + rows - 1 - row
                for other in 0..<rows { scores[other] += bias[biasStart + other] }
                Kernels.softmaxRows(scores, rows: 1, width: rows)
                let result = scratch.attended.pointer + row * inner + head * headWidth
                for channel in 0..<headWidth { result[channel] = 0 }
                for other in 0..<rows {
                    let share = scores[other]
                    let value = first + other * 3 * inner + 2 * inner
                    for channel in 0..<headWidth { result[channel] += share * value[channel] }
                }
            }
        }
    }
}
