import CKernels
import Synchronization
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
        let fits = weight.withUnsafeBufferPointer { vk_fits_bfloat16($0.baseAddress, $0.count) != 0 }
        self.arithmetic = arithmetic
        self.inputs = inputs
        self.outputs = outputs
        self.format = format ?? (fits || arithmetic == .bfloat16 ? .bfloat16 : .float32)
        byteCount = vk_panel_bytes(self.format.kernelValue, outputs, inputs)
        panels = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
        let rounded = arithmetic == .bfloat16 && !fits ? weight.map(Self.nearestBFloat16) : weight
        rounded.withUnsafeBufferPointer {
            if let start = $0.baseAddress { pack(start, rows: 0..<outputs) }
        }
    }

    /// Packs a weight that is read part by part; see ``LinearLayer``.
    init(
        outputs: Int, inputs: Int, fitBFloat16: Bool, arithmetic: Arithmetic,
        reading read: (Range<Int>, UnsafeMutablePointer<Float>) throws -> Void
    ) throws {
        precondition(arithmetic.isSupported, "this machine has the arithmetic")
        self.arithmetic = arithmetic
        self.inputs = inputs
        self.outputs = outputs
        let doesFit = fitBFloat16 || arithmetic == .bfloat16
        format = try doesFit || Self.fit(outputs: outputs, inputs: inputs, reading: read) ? .bfloat16 : .float32
        byteCount = vk_panel_bytes(format.kernelValue, outputs, inputs)
        panels = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
        // If this throws, deinit frees the panels: all members are set.
        try Self.forEachPart(outputs: outputs, inputs: inputs, reading: read) { rows, numbers in
            if arithmetic == .bfloat16, !fitBFloat16 {
                for place in 0..<rows.count * inputs { numbers[place] = Self.nearestBFloat16(numbers[place]) }
            }
            pack(numbers, rows: rows)
        }
    }

    /// Packs rows that begin with a panel.
    private func pack(_ weight: UnsafePointer<Float>, rows: Range<Int>) {
        let start = panels + vk_panel_bytes(format.kernelValue, rows.lowerBound, inputs)
        switch format {
        case .float32: vk_pack(weight, inputs, rows.count, inputs, start.assumingMemoryBound(to: Float.self))
        case .bfloat16:
            vk_pack_bfloat16(weight, inputs, rows.count, inputs, start.assumingMemoryBound(to: UInt16.self))
        }
    }

    /// Whether bfloat16 holds all numbers.
    private static func fit(
        outputs: Int, inputs: Int, reading read: (Range<Int>, UnsafeMutablePointer<Float>) throws -> Void
    ) throws -> Bool {
        let misfits = Atomic(false)
        try forEachPart(outputs: outputs, inputs: inputs, reading: read) { rows, numbers in
            if vk_fits_bfloat16(numbers, rows.count * inputs) == 0 { misfits.store(true, ordering: .relaxed) }
        }
        return !misfits.load(ordering: .relaxed)
    }

    /// Reads all rows in parts of whole panels, on the pool, and hands each to `body`; throws what the first of them threw.
    private static func forEachPart(
        outputs: Int, inputs: Int, reading read: (Range<Int>, UnsafeMutablePointer<Float>) throws -> Void,
        _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) throws {
        let panel = Int(VK_PANEL), each = max(partBytes / 4 / max(inputs, 1) / panel, 1) * panel
        var failures = [(any Error)?](repeating: nil, count: (outputs + each - 1) / each)
        failures.withUnsafeMutableBufferPointer { failures in
            nonisolated(unsafe) let failures = failures
            Parallel.forEach(parts: failures.count) { part in
                let rows = part * each..<min((part + 1) * each, outputs)
                let numbers = ThreadBlock.reserve(byteCount: 4 * rows.count * inputs)
                    .bindMemory(to: Float.self, capacity: rows.count * inputs)
                do {
                    try read(rows, numbers)
                    body(rows, numbers)
                } catch {
                    failures[part] = error
                }
            }
        }
        if let failure = failures.lazy.compactMap({ $0 }).first { throw failure }
    }

    /// What is read at a time.
    private static let partBytes = 2 << 20

    /// Ties to even.
    private static func nearestBFloat16(_ value: Float) -> Float {
        let bits = value.bitPattern
        return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
    }

    deinit { panels.deallocate() }

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
