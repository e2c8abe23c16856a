import CKernels
import VernierCore

/// `y = x W^T + b` with weights packed once into panels of 32 outputs.
///
/// float32 arithmetic on weights in float32 or, where that holds them exactly, bfloat16; accumulation in ascending input
/// order: bit-identical for any number of rows and threads and on every instruction set of the packed kernels. In
/// bfloat16 arithmetic (``Arithmetic``) factors are rounded. With `VERNIER_GEMM=blas` in the environment the system's BLAS
/// (OpenBLAS, Accelerate) computes the product instead; its bits may differ with the row count.
public final class LinearLayer: @unchecked Sendable {
    /// Input width K.
    public let inputs: Int
    /// Output width N.
    public let outputs: Int
    private let weights: PackedWeights
    private let bias: FloatBuffer?
    private let stored: FloatBuffer?
    /// What rows take at most that are packed at a time: beyond it they are taken in parts, and weights are read again.
    private static let packedBytes = 32 << 20

    /// Packs `weight` `[outputs, inputs]` and copies `bias` `[outputs]`.
    /// - Precondition: the counts match the widths; this machine has the arithmetic.
    public init(
        weight: [Float], bias: [Float]?, outputs: Int, inputs: Int, arithmetic: Arithmetic = .current
    ) {
        precondition(weight.count == outputs * inputs && (bias?.count ?? outputs) == outputs, "counts match the widths")
        self.inputs = inputs
        self.outputs = outputs
        weights = PackedWeights(weight, outputs: outputs, inputs: inputs, arithmetic: arithmetic)
        self.bias = bias.map { FloatBuffer($0) }
        stored = KernelEnvironment.usesBLAS ? FloatBuffer(weight) : nil
    }

    /// Packs a weight `[outputs, inputs]` that is read part by part, and copies `bias` `[outputs]`; bit for bit the layer
    /// that ``init(weight:bias:outputs:inputs:arithmetic:)`` makes.
    ///
    /// - Parameters:
    ///   - fitBFloat16: whether bfloat16 is known to hold all numbers; else that is looked for, and all are read twice.
    ///   - read: writes some rows `[rows.count, inputs]`; called from several threads. What it throws is thrown, for the
    ///     lowest rows.
    /// - Precondition: the counts match the widths; this machine has the arithmetic.
    public init(
        outputs: Int, inputs: Int, bias: [Float]? = nil, fitBFloat16: Bool = false, arithmetic: Arithmetic = .current,
        reading read: (Range<Int>, UnsafeMutablePointer<Float>) throws -> Void
    ) throws {
        precondition((bias?.count ?? outputs) == outputs, "counts match the widths")
        self.inputs = inputs
        self.outputs = outputs
        weights = try PackedWeights(
            outputs: outputs, inputs: inputs, fitBFloat16: fitBFloat16, arithmetic: arithmetic, reading: read)
        self.bias = bias.map { FloatBuffer($0) }
        stored = KernelEnvironment.usesBLAS ? FloatBuffer(weights.matrix) : nil
    }

    /// The weight `[outputs, inputs]`, unpacked.
    public var weight: [Float] { weights.matrix }
    /// The bytes of the packed weights.
    public var byteCount: Int { weights.byteCount }

    /// Applies the layer to `rows` rows `x` `[rows, inputs]`, writing `y` `[rows, outputs]`.
    ///
    /// `inputStride` is the distance between rows of `x` (default: `inputs`).
    public func callAsFunction(
        _ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>, inputStride: Int? = nil
    ) {
        guard rows > 0 else { return }
        let stride = inputStride ?? inputs
        if let stored {
            vk_gemm_blas(x, stride, rows, inputs, stored.pointer, outputs, bias?.pointer, y, outputs)
            return
        }
        let most = max(Self.packedBytes / (4 * max(inputs, 1)) / 12 * 12, 12)
        for first in Swift.stride(from: 0, to: rows, by: most) {
            multiply(x + first * stride, rows: min(most, rows - first), into: y + first * outputs, stride: stride)
        }
    }

    private func multiply(
        _ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>, stride: Int
    ) {
        nonisolated(unsafe) let y = y
        // Arranged once for all panels and threads, where that costs less than it saves.
        let given = ProductRows(x, count: rows, width: inputs, stride: stride)
        let panelCount = weights.panelCount, isLong = rows > 1 && inputs >= 256 && panelCount >= 8
        let arranged = given.arranged(
            weights.arithmetic == .bfloat16 ? .rounded : isLong ? .packed : .asTheyLie)
        // Small products are not worth waking a thread for; large ones are cut by panels, then by rows.
        let work = rows * inputs * outputs, blocks = arranged.blockCount
        // More parts than threads: a thread that is held up leaves its parts to the others.
        let wanted = work < 200_000 ? 1 : Parallel.threadCount * (work < 20_000_000 ? 2 : 4)
        let panelParts = min(panelCount, wanted)
        let rowParts = max(1, min(wanted / panelParts, blocks / 8))
        let weights = weights, bias = bias?.pointer
        if panelParts * rowParts == 1 {
            return weights.multiply(arranged, bias: bias, into: y, blocks: 0..<blocks, panels: 0..<panelCount)
        }
        Parallel.forEach(parts: panelParts * rowParts) { part in
            let panelPart = part % panelParts, rowPart = part / panelParts
            weights.multiply(
                arranged, bias: bias, into: y,
                blocks: (rowPart * blocks / rowParts)..<((rowPart + 1) * blocks / rowParts),
                panels: (panelPart * panelCount / panelParts)..<((panelPart + 1) * panelCount / panelParts))
        }
    }

    /// Applies the layer to an array; for small inputs outside hot paths.
    public func callAsFunction(_ x: [Float], rows: Int) -> [Float] {
        [Float](unsafeUninitializedCapacity: rows * outputs) { result, count in
            x.withUnsafeBufferPointer { input in
                if let start = input.baseAddress, let to = result.baseAddress { self(start, rows: rows, into: to) }
            }
            count = rows * outputs
        }
    }
}
