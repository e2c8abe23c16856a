import CKernels

/// A weight matrix `[outputs, inputs]`, packed once into panels of 32 outputs for ``CKernels``.
///
/// Numbers that bfloat16 holds exactly, all of them, are kept in bfloat16: half the memory and half the traffic of
/// float32, and bit for bit the same products, since they are widened as they are read. Whether a checkpoint was
/// stored in float32 or bfloat16 makes no difference.
final class PackedWeights: @unchecked Sendable {
    /// How the numbers are stored.
    enum Format: Sendable, Hashable {
        case float32
        case bfloat16
    }
    /// K.
    let inputs: Int
    /// N.
    let outputs: Int
    /// How the numbers are stored.
    let format: Format
    /// How they are multiplied.
    let arithmetic: Arithmetic
    private let panels: UnsafeMutableRawPointer
    /// The bytes held.
    let byteCount: Int

    /// Packs `weight` `[outputs, inputs]`; `format`, if given, is not questioned (for tests: bfloat16 then truncates).
    /// For bfloat16 arithmetic weights are rounded to the nearest number of it.
    /// - Precondition: the count matches the widths; this machine has the arithmetic.
    init(_ weight: [Float], outputs: Int, inputs: Int, format: Format? = nil, arithmetic: Arithmetic = .float32) {
        precondition(weight.count == outputs * inputs, "the count matches the widths")
        precondition(arithmetic.isSupported, "this machine has the arithmetic")
        self.arithmetic = arithmetic
        let weight = arithmetic == .bfloat16 ? Self.rounded(weight) : weight
        self.inputs = inputs
        self.outputs = outputs
        let fits = weight.withUnsafeBufferPointer { vk_fits_bfloat16($0.baseAddress, $0.count) != 0 }
        let chosen = format ?? (fits ? .bfloat16 : .float32)
        self.format = chosen
        let count = vk_packed_count(outputs, inputs)
        byteCount = count * (chosen == .float32 ? 4 : 2)
        panels = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
        weight.withUnsafeBufferPointer {
            guard let start = $0.baseAddress else { return }
            switch chosen {
            case .float32:
                vk_pack(start, inputs, outputs, inputs, panels.bindMemory(to: Float.self, capacity: count))
            case .bfloat16:
                vk_pack_bfloat16(start, inputs, outputs, inputs, panels.bindMemory(to: UInt16.self, capacity: count))
            }
        }
    }

    deinit { panels.deallocate() }

    /// The nearest bfloat16 numbers, ties to even.
    private static func rounded(_ values: [Float]) -> [Float] {
        values.map { value in
            let bits = value.bitPattern
            return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
        }
    }

    /// Panels of 32 outputs.
    var panelCount: Int { (outputs + 31) / 32 }

    /// `y = x W^T + bias` for `rows` rows of `x`, for some panels; `y` has rows of ``outputs``.
    func multiply(
        _ x: UnsafePointer<Float>, stride: Int, rows: Int, bias: UnsafePointer<Float>?,
        into y: UnsafeMutablePointer<Float>, panels range: Range<Int>
    ) {
        switch format {
        case .float32:
            vk_gemm(
                x, stride, rows, inputs, panels.assumingMemoryBound(to: Float.self), outputs, bias, y, outputs,
                range.lowerBound, range.upperBound)
        case .bfloat16:
            vk_gemm_bfloat16(
                x, stride, rows, inputs, panels.assumingMemoryBound(to: UInt16.self), outputs, bias, y, outputs,
                range.lowerBound, range.upperBound)
        }
    }

    /// The same in bfloat16 arithmetic, for rows that `vk_round_rows` has rounded.
    func multiply(
        rounded x: UnsafePointer<UInt16>, rows: Int, bias: UnsafePointer<Float>?, into y: UnsafeMutablePointer<Float>,
        panels range: Range<Int>
    ) {
        vk_gemm_bfloat16_dots(
            x, rows, inputs, panels.assumingMemoryBound(to: UInt16.self), outputs, bias, y,
            outputs, range.lowerBound, range.upperBound)
    }

    /// The matrix `[outputs, inputs]` as it was given, rounded for bfloat16 arithmetic.
    var matrix: [Float] {
        [Float](unsafeUninitializedCapacity: outputs * inputs) { result, count in
            if let start = result.baseAddress {
                vk_unpack(format == .float32 ? Int32(VK_FLOAT32) : Int32(VK_BFLOAT16), panels, outputs, inputs, start)
            }
            count = outputs * inputs
        }
    }
}
