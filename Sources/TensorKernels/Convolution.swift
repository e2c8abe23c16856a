import CKernels

/// A 3x3 (stride 1, zero padding 1) or 1x1 convolution over channels-last maps, as a matrix product of patches.
///
/// Maps are `[height * width, channels]`. Patches are built in tiles of rows, so the extra memory is bounded by
/// threads x 64 x 9 x inputs values.
public final class Convolution: @unchecked Sendable {
    /// Input channels.
    public let inputs: Int
    /// Output channels.
    public let outputs: Int
    /// 1 or 3.
    public let kernelSide: Int
    private let panels: FloatBuffer
    private let bias: FloatBuffer
    private static let tileRows = 48

    /// Packs `weight` `[outputs, inputs, side, side]` (cross-correlation, as in checkpoints) and `bias` `[outputs]`.
    /// - Precondition: the counts match the shape and `kernelSide` is 1 or 3.
    public init(weight: [Float], bias: [Float], outputs: Int, inputs: Int, kernelSide: Int) {
        precondition(kernelSide == 1 || kernelSide == 3, "kernelSide is 1 or 3")
        let taps = kernelSide * kernelSide
        precondition(weight.count == outputs * inputs * taps && bias.count == outputs, "counts match the shape")
        self.inputs = inputs
        self.outputs = outputs
        self.kernelSide = kernelSide
        // Checkpoint order is (out, in, ky, kx); the patches are (ky, kx, in).
        var reordered = [Float](repeating: 0, count: weight.count)
        for o in 0..<outputs {
            for i in 0..<inputs {
                for t in 0..<taps { reordered[(o * taps + t) * inputs + i] = weight[(o * inputs + i) * taps + t] }
            }
        }
        let panels = FloatBuffer(count: vk_packed_count(outputs, taps * inputs))
        reordered.withUnsafeBufferPointer {
            if let start = $0.baseAddress { vk_pack(start, taps * inputs, outputs, taps * inputs, panels.pointer) }
        }
        self.panels = panels
        self.bias = FloatBuffer(bias)
    }

    /// Applies the convolution to `x` `[height * width, inputs]`, writing `y` `[height * width, outputs]`.
    public func callAsFunction(
        _ x: UnsafePointer<Float>, height: Int, width: Int, into y: UnsafeMutablePointer<Float>
    ) {
        let pixels = height * width, panelCount = (outputs + 31) / 32
        let tiles = (pixels + Self.tileRows - 1) / Self.tileRows
        let parts = min(tiles, Parallel.threadCount * 4)
        let depth = kernelSide * kernelSide * inputs
        nonisolated(unsafe) let x = x, y = y
        Parallel.forEach(parts: parts) { [self] part in
            let patches = kernelSide == 3 ? FloatBuffer(count: Self.tileRows * depth) : nil
            for tile in (part * tiles / parts)..<((part + 1) * tiles / parts) {
                let first = tile * Self.tileRows, last = min(first + Self.tileRows, pixels)
                let rows: UnsafePointer<Float>
                if let patches {
                    vk_patches3x3(x, height, width, inputs, first, last, patches.pointer)
                    rows = UnsafePointer(patches.pointer)
                } else {
                    rows = x + first * inputs
                }
                vk_gemm(
                    rows, depth, last - first, depth, panels.pointer, outputs, bias.pointer, y + first * outputs,
                    outputs,
                    0, panelCount)
            }
        }
    }
}
