/// Exact conversions of stored number types to single precision, over whole buffers.
///
/// Every half-precision and bfloat16 value is representable in single precision, so nothing is rounded: zeros keep
/// their sign, subnormal halves become normal numbers, infinities stay, NaN stays NaN.
enum Widening {
    /// The value of a half-precision bit pattern, by integer arithmetic so that loops over it become vector code.
    @inline(__always)
    static func float(fromF16 bits: UInt16) -> Float {
        let magnitude = UInt32(bits & 0x7FFF) << 13
        let exponent = magnitude & 0x0F80_0000
        let sign = UInt32(bits & 0x8000) << 16
        // Re-bias the exponent by 127 - 15; once more for infinities and NaN, whose exponent must end at 255.
        let normal = magnitude &+ (112 << 23) &+ (exponent == 0x0F80_0000 ? 112 << 23 : 0)
        // A subnormal half is magnitude * 2^-24 / 2^13: put it into the mantissa of 2^-14 and take 2^-14 away.
        let subnormal = Float(bitPattern: magnitude &+ (113 << 23)) - Float(bitPattern: 113 << 23)
        return Float(bitPattern: (exponent == 0 ? subnormal.bitPattern : normal) | sign)
    }

    /// The value of a bfloat16 bit pattern.
    @inline(__always)
    static func float(fromBF16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

    /// Widens half-precision numbers; returns whether all are finite.
    static func f16(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) -> Bool {
        var largestExponent: UInt16 = 0
        for index in 0..<target.count {
            let bits = UInt16(littleEndian: source.loadUnaligned(fromByteOffset: 2 &* index, as: UInt16.self))
            largestExponent = max(largestExponent, bits & 0x7C00)
            target[index] = float(fromF16: bits)
        }
        return largestExponent < 0x7C00
    }

    /// Widens bfloat16 numbers; returns whether all are finite.
    static func bf16(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) -> Bool {
        var largestExponent: UInt16 = 0
        for index in 0..<target.count {
            let bits = UInt16(littleEndian: source.loadUnaligned(fromByteOffset: 2 &* index, as: UInt16.self))
            largestExponent = max(largestExponent, bits & 0x7F80)
            target[index] = float(fromBF16: bits)
        }
        return largestExponent < 0x7F80
    }

    /// Copies single-precision numbers; returns whether all are finite.
    static func f32(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) -> Bool {
        var largestExponent: UInt32 = 0
        for index in 0..<target.count {
            let bits = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self))
            largestExponent = max(largestExponent, bits & 0x7F80_0000)
            target[index] = Float(bitPattern: bits)
        }
        return largestExponent < 0x7F80_0000
    }
}
