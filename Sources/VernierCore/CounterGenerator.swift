/// Random numbers by counter: the i-th number depends on the seed and on i alone.
///
/// The i-th number is the output mix of SplitMix64 at state `seed + (i + 1) * 0x9E3779B97F4A7C15` (Steele, Lea, Flood
/// 2014, with the constants of Vigna's public-domain splitmix64.c).
package struct CounterGenerator: Sendable {
    private let seed: UInt64

    /// Starts a sequence.
    package init(seed: UInt64) { self.seed = seed }

    /// The number at a counter.
    package func bits(at counter: UInt64) -> UInt64 {
        var z = seed &+ (counter &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number from 0 to `bound - 1`, by the high word of a product (Lemire 2019); its bias is below `bound / 2^64`.
    package func index(at counter: UInt64, below bound: Int) -> Int {
        Int(truncatingIfNeeded: bits(at: counter).multipliedFullWidth(by: UInt64(bound)).high)
    }
}
