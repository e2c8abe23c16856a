import TestSupport
import Testing

@testable import Checkpoints

@Suite("Widening to single precision")
struct WideningTests {
    private let patterns = (0...65535).map { UInt16($0) }

    /// The value by the definition of the formats: sign, exponent and mantissa, in double precision.
    private func value(_ bits: UInt16, exponentBits: Int, mantissaBits: Int) -> Double {
        let bias = 1 << (exponentBits - 1) - 1
        let sign: Double = bits >> 15 == 0 ? 1 : -1
        let exponent = Int(bits >> UInt16(mantissaBits)) & (1 << exponentBits - 1)
        let mantissa = Double(Int(bits) & (1 << mantissaBits - 1)) / Double(1 << mantissaBits)
        if exponent == 1 << exponentBits - 1 { return mantissa == 0 ? sign * .infinity : .nan }
        let scale = Double(sign: .plus, exponent: max(exponent, 1) - bias, significand: 1)
        return sign * (exponent == 0 ? mantissa : 1 + mantissa) * scale
    }

    private func expectSameBits(_ widened: [Float], _ reference: [Double]) {
        for index in widened.indices {
            if reference[index].isNaN {
                #expect(widened[index].isNaN, "pattern \(index)")
            } else {
                let expected = Float(reference[index])
                #expect(Double(expected) == reference[index])
                #expect(widened[index].bitPattern == expected.bitPattern, "pattern \(index)")
            }
        }
    }

    @Test("Every half-precision pattern")
    func everyF16() {
        expectSameBits(
            patterns.map { Widening.float(fromF16: $0) },
            patterns.map { value($0, exponentBits: 5, mantissaBits: 10) })
    }

    @Test("Every bfloat16 pattern")
    func everyBF16() {
        expectSameBits(
            patterns.map { Widening.float(fromBF16: $0) },
            patterns.map { value($0, exponentBits: 8, mantissaBits: 7) })
    }

    @Test("Whole buffers equal single numbers at every alignment, and tell whether all are finite")
    func buffers() throws {
        try withEvery("offset", in: 0..<4) { offset in
            let finite = patterns.filter { $0 & 0x7C00 != 0x7C00 && $0 & 0x7F80 != 0x7F80 }
            let bytes = [UInt8](repeating: 0, count: offset) + finite.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
            let (half, halfFinite) = widen(bytes, offset, finite.count, Widening.f16)
            #expect(halfFinite && half == finite.map { Widening.float(fromF16: $0) })
            let (brain, brainFinite) = widen(bytes, offset, finite.count, Widening.bf16)
            #expect(brainFinite && brain == finite.map { Widening.float(fromBF16: $0) })
        }
        #expect(!widen([0, 0, 0, 0x7C], 0, 2, Widening.f16).isFinite)
        #expect(!widen([0x80, 0xFF, 0, 0], 0, 2, Widening.bf16).isFinite)
        #expect(!widen([0, 0, 0x80, 0x7F], 0, 1, Widening.f32).isFinite)
        #expect(widen([0xFF, 0xFF, 0x7F, 0x7F], 0, 1, Widening.f32).isFinite)
    }

    private func widen(
        _ bytes: [UInt8], _ offset: Int, _ count: Int,
        _ convert: (UnsafeRawBufferPointer, UnsafeMutableBufferPointer<Float>) -> Bool
    ) -> (values: [Float], isFinite: Bool) {
        var values = [Float](repeating: 0, count: count)
        let isFinite = bytes.withUnsafeBytes { source in
            values.withUnsafeMutableBufferPointer { convert(UnsafeRawBufferPointer(rebasing: source[offset...]), $0) }
        }
        return (values, isFinite)
    }
}
