import CKernels
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// `y = x W^T + b` with weights packed once into panels of 32 outputs.
///
/// float32 weights, float32 accumulation in ascending input order: bit-identical for any number of rows and threads and
/// on every instruction set of the packed kernels. With `VERNIER_GEMM=blas` in the environment the system's BLAS
/// (OpenBLAS, Accelerate) computes the product instead; its bits may differ with the row count.
public final class LinearLayer: @unchecked Sendable {
    /// Input width K.
    public let inputs: Int
    /// Output width N.
    public let outputs: Int
    private let panels: FloatBuffer
    private let bias: FloatBuffer?
    private let stored: FloatBuffer?

    private static let usesBLAS = getenv("VERNIER_GEMM").map { String(cString: $0) == "blas" } ?? false

    /// Packs `weight` `[outputs, inputs]` and copies `bias` `[outputs]`.
    /// - Precondition: the counts match the widths.
    public init(weight: [Float], bias: [Float]?, outputs: Int, inputs: Int) {
        precondition(weight.count == outputs * inputs && (bias?.count ?? outputs) == outputs, "counts match the widths")
        self.inputs = inputs
        self.outputs = outputs
        let panels = FloatBuffer(count: vk_packed_count(outputs, inputs))
        weight.withUnsafeBufferPointer {
            if let start = $0.baseAddress { vk_pack(start, inputs, outputs, inputs, panels.pointer) }
        }
        self.panels = panels
        self.bias = bias.map { FloatBuffer($0) }
        stored = Self.usesBLAS ? FloatBuffer(weight) : nil
    }

    /// Applies the layer to `rows` rows `x` `[rows, inputs]`, writing `y` `[rows, outputs]`.
    ///
    /// `inputStride` is the distance between rows of `x` (default: `inputs`).
    public func callAsFunction(
        _ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>, inputStride: Int? = nil
    ) {
        guard rows > 0 else { return }
        let stride = inputStride ?? inputs
        nonisolated(unsafe) let x = x, y = y
        if let stored {
            vk_gemm_blas(x, stride, rows, inputs, stored.pointer, outputs, bias?.pointer, y, outputs)
            return
        }
        let panelCount = (outputs + 31) / 32
        // Small products are not worth waking a thread for; large ones are cut by panels, then by rows.
        let work = rows * inputs * outputs
        let wanted = work < 200_000 ? 1 : Parallel.threadCount * 2
        let panelParts = min(panelCount, wanted)
        let rowParts = max(1, min(wanted / panelParts, rows / 96))
        if panelParts * rowParts == 1 {
            vk_gemm(x, stride, rows, inputs, panels.pointer, outputs, bias?.pointer, y, outputs, 0, panelCount)
            return
        }
        let rowsEach = (rows + rowParts - 1) / rowParts
        Parallel.forEach(parts: panelParts * rowParts) { [self] part in
            let panelPart = part % panelParts, firstRow = (part / panelParts) * rowsEach
            let count = min(rowsEach, rows - firstRow)
            guard count > 0 else { return }
            vk_gemm(
                x + firstRow * stride, stride, count, inputs, panels.pointer, outputs, bias?.pointer,
                y + firstRow * outputs, outputs, panelPart * panelCount / panelParts,
                (panelPart + 1) * panelCount / panelParts)
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
