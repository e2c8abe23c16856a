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
    ///
    /// - Precondition: `source` holds at least `target.count` numbers; so in the functions below.
    static func f16(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) -> Bool {
        guard let (from, to) = pointers(source, target, elementByteCount: 2) else { return true }
        var carries: UInt16 = 0
        for index in 0..<target.count {
            let bits = UInt16(littleEndian: from.loadUnaligned(fromByteOffset: 2 &* index, as: UInt16.self))
            carries |= (bits & 0x7C00) &+ 0x0400
            to[index] = float(fromF16: bits)
        }
        return carries & 0x8000 == 0
    }

    /// Widens bfloat16 numbers; returns whether all are finite.
    static func bf16(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) -> Bool {
        guard let (from, to) = pointers(source, target, elementByteCount: 2) else { return true }
        var carries: UInt16 = 0
        for index in 0..<target.count {
            let bits = UInt16(littleEndian: from.loadUnaligned(fromByteOffset: 2 &* index, as: UInt16.self))
            carries |= (bits & 0x7F80) &+ 0x0080
            to[index] = float(fromBF16: bits)
        }
        return carries & 0x8000 == 0
    }

    /// Copies single-precision numbers; returns whether all are finite.
    static func f32(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) -> Bool {
        guard let (from, to) = pointers(source, target, elementByteCount: 4) else { return true }
        var carries: UInt32 = 0
        for index in 0..<target.count {
            let bits = UInt32(littleEndian: from.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self))
            carries |= (bits & 0x7F80_0000) &+ 0x0080_0000
            to[index] = Float(bitPattern: bits)
        }
        return carries & 0x8000_0000 == 0
    }

    // In the loops above a full exponent plus one carries into the sign's bit: an OR of those sums tells at the end
    // whether any number was not finite, and unlike a maximum or an early exit it leaves the loop to vector code. For
    // the same reason the checks of the pointers stand here, outside the loops.
    private static func pointers(
        _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableBufferPointer<Float>, elementByteCount: Int
    ) -> (UnsafeRawPointer, UnsafeMutablePointer<Float>)? {
        precondition(source.count >= target.count * elementByteCount, "source holds at least target.count numbers")
        guard let from = source.baseAddress, let to = target.baseAddress else { return nil }
        return (from, to)
    }
}
