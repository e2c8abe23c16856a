import CKernels

/// Counter-based random numbers (Philox 4x32-10, Salmon et al., SC 2011): every number is a function of (seed, position).
///
/// A picture drawn with it depends neither on the batch it is in nor on threads, and runs with different caches share
/// their noise.
public struct CounterRandom: Sendable, Hashable {
    /// The seed: the key of the cipher.
    public let seed: UInt64

    /// Keys the generator.
    public init(seed: UInt64) { self.seed = seed }

    /// Four 32-bit words for one counter.
    public func words(_ c0: UInt32, _ c1: UInt32, _ c2: UInt32, _ c3: UInt32) -> (UInt32, UInt32, UInt32, UInt32) {
        var (x0, x1, x2, x3) = (c0, c1, c2, c3)
        var k0 = UInt32(truncatingIfNeeded: seed), k1 = UInt32(truncatingIfNeeded: seed >> 32)
        for _ in 0..<10 {
            let p0 = UInt64(0xD251_1F53) * UInt64(x0), p1 = UInt64(0xCD9E_8D57) * UInt64(x2)
            (x0, x1, x2, x3) = (
                UInt32(truncatingIfNeeded: p1 >> 32) ^ x1 ^ k0, UInt32(truncatingIfNeeded: p1),
                UInt32(truncatingIfNeeded: p0 >> 32) ^ x3 ^ k1, UInt32(truncatingIfNeeded: p0)
            )
            k0 = k0 &+ 0x9E37_79B9
            k1 = k1 &+ 0xBB67_AE85
        }
        return (x0, x1, x2, x3)
    }

    /// The words `[count, 4]` of the counters `(c0, c1[i], c2, c3)`, several at a time.
    public func words(
        _ c0: UInt32, _ c1: UnsafePointer<UInt32>, _ c2: UInt32, _ c3: UInt32, count: Int,
        into words: UnsafeMutablePointer<UInt32>
    ) { vk_philox(seed, c0, c1, c2, c3, count, words) }

    /// A number in (0, 1), exactly representable in float32: `(word >> 9 + 0.5) / 2^23`.
    public static func open01(_ word: UInt32) -> Float { (Float(word >> 9) + 0.5) * 0x1p-23 }
}
