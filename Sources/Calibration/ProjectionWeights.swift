import ModelFamilies
import TensorKernels

/// The weights `W_o` `[C, C]` of a stack's attention projections, the last one asked for kept unpacked.
final class ProjectionWeights {
    /// Width C of the residual stream, heads H, width D of a head; `W_o^h` is the columns `h D ..< (h + 1) D`.
    let width: Int
    let heads: Int
    let headWidth: Int
    private let stack: TransformerStack
    private var layer = -1
    private var weight: [Float] = []

    init(stack: TransformerStack) {
        self.stack = stack
        width = stack.width
        heads = stack.heads
        headWidth = stack.headWidth
    }

    /// Hands `W_o` of a layer to `body`.
    func withWeight(layer: Int, _ body: (UnsafePointer<Float>) -> Void) {
        if layer != self.layer {
            weight = stack.attentionProjectionWeight(layer: layer)
            self.layer = layer
        }
        weight.withUnsafeBufferPointer { if let start = $0.baseAddress { body(start) } }
    }

    /// `grams[h] += W_o^h^T diag(factors) W_o^h` for the heads of a layer, `[H, D, D]` in Float64; no factors are 1.
    func addGrams(layer: Int, factors: UnsafePointer<Double>? = nil, to grams: UnsafeMutablePointer<Double>) {
        withWeight(layer: layer) { weight in
            Parallel.forEach(parts: heads) { head in
                Kernels.addGram(
                    weight + head * headWidth, rows: width, width: headWidth, stride: width, weights: factors,
                    to: grams + head * headWidth * headWidth)
            }
        }
    }
}
