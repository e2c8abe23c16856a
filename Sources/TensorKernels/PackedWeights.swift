import CKernels
import VernierCore

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

        var kernelValue: Int32 { self == .float32 ? Int32(VK_FLOAT32) : Int32(VK_BFLOAT16) }
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
        byteCount = vk_panel_bytes(chosen.kernelValue, outputs, inputs)
        panels = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
        weight.withUnsafeBufferPointer {
            guard let start = $0.baseAddress else { return }
            switch chosen {
            case .float32:
                vk_pack(start, inputs, outputs, inputs, panels.bindMemory(to: Float.self, capacity: byteCount / 4))
            case .bfloat16:
                vk_pack_bfloat16(
                    start, inputs, outputs, inputs, panels.bindMemory(to: UInt16.self, capacity: byteCount / 2))
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

    /// `y = x W^T + bias` for some blocks of rows and some panels; `y` `[rows, outputs]`. In bfloat16 arithmetic rows are
    /// ``ProductRows/Layout/rounded``, else not.
    func multiply(
        _ x: ProductRows, bias: UnsafePointer<Float>?, into y: UnsafeMutablePointer<Float>, blocks: Range<Int>,
        panels range: Range<Int>
    ) {
        precondition((x.layout == .rounded) == (arithmetic == .bfloat16), "rows are rounded where weights are")
        var product = vk_product(
            a: x.pointer, rows: x.layout.kernelValue, lda: x.stride, m: x.count, k: inputs, panels: panels,
            format: format.kernelValue, n: outputs, bias: bias, c: y, ldc: outputs)
        vk_multiply_panels(&product, blocks.lowerBound, blocks.upperBound, range.lowerBound, range.upperBound)
    }

    /// The panels as the kernels take them; they live as long as this object.
    var kernelWeights: vk_weights { vk_weights(panels: UnsafeRawPointer(panels), format: format.kernelValue) }

    /// The matrix `[outputs, inputs]` as it was given, rounded for bfloat16 arithmetic.
    var matrix: [Float] {
        [Float](unsafeUninitializedCapacity: outputs * inputs) { result, count in
            if let start = result.baseAddress {
                vk_unpack(format.kernelValue, panels, outputs, inputs, start)
            }
            count = outputs * inputs
        }
    }
}
