import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How far a compressed cache moves the next-bit distributions when both runs are fed the teacher's bits: the mean over
/// tokens and bits of `KL(teacher || compressed)` in nats.
///
/// Unlike PSNR it is not carried away by one early bit that falls the other way, so it tells close policies apart with
/// few prompts. Sums add up: runs, scales and prompts may be added in any grouping (``add(_:)``).
///
/// With the bit's log odds `t` (teacher) and `c` (compressed), each the difference `logit[2i+1] - logit[2i]`, and
/// `s(x) = log(1 + e^x)`:
///
///     KL = p (s(-c) - s(-t)) + (1 - p) (s(c) - s(t)),  p = 1 / (1 + e^-t).
///
/// No probability is divided by or taken the logarithm of, so log odds of any finite size are safe. Float64; an
/// absolute error of about 1e-16 times the larger log odds remains, and tiny negative results are cut to 0.
public struct ForcedDecodingDivergence: Sendable, Hashable {
    /// The sum of the divergences in nats.
    public private(set) var sumNats = 0.0
    /// The number of bits in the sum.
    public private(set) var bits = 0

    /// Starts an empty sum.
    public init() {}

    /// The mean per bit in nats; nil before the first bit.
    public var meanNats: Double? { bits > 0 ? sumNats / Double(bits) : nil }

    /// Adds another sum.
    public mutating func add(_ other: Self) {
        sumNats += other.sumNats
        bits += other.bits
    }

    /// Adds the logits of some tokens, `[tokens, 2 * bits]` for both runs: channel `2i` is for bit i = 0, channel `2i+1`
    /// for bit i = 1.
    ///
    /// Throws ``VernierCore/VernierError/Code/mismatch`` if the counts differ or are odd, and
    /// ``VernierCore/VernierError/Code/nonFinite`` if a logit is not finite; the sum is then unchanged.
    public mutating func add(
        teacher: UnsafeBufferPointer<Float>, compressed: UnsafeBufferPointer<Float>
    ) throws {
        guard teacher.count == compressed.count, teacher.count.isMultiple(of: 2) else {
            throw VernierError(
                .mismatch, at: "bit logits", expected: "two logits a bit, as many as the teacher's \(teacher.count)",
                found: "\(compressed.count)")
        }
        var sum = 0.0
        for low in stride(from: 0, to: teacher.count, by: 2) {
            let t = Double(teacher[low + 1]) - Double(teacher[low])
            let c = Double(compressed[low + 1]) - Double(compressed[low])
            guard t.isFinite, c.isFinite else {
                throw VernierError(
                    .nonFinite, at: "bit logits", expected: "finite logits",
                    found: "log odds \(t) (teacher) and \(c) (compressed) at bit \(low / 2)")
            }
            sum += Self.nats(teacherLogOdds: t, compressedLogOdds: c)
        }
        sumNats += sum
        bits += teacher.count / 2
    }

    /// `KL(teacher || compressed)` of one bit from its finite log odds.
    public static func nats(teacherLogOdds t: Double, compressedLogOdds c: Double) -> Double {
        let one = sigmoid(t) * (softplus(-c) - softplus(-t))
        let zero = sigmoid(-t) * (softplus(c) - softplus(t))
        return max(0, one + zero)
    }

    private static func sigmoid(_ x: Double) -> Double { x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)) }
    private static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
}

/// The mean over tokens and bits of `KL(teacher || compressed)` in nats; see ``ForcedDecodingDivergence``.
///
/// Throws ``VernierCore/VernierError/Code/emptyInput`` without logits, and as
/// ``ForcedDecodingDivergence/add(teacher:compressed:)``.
public func forcedDecodingKL(
    teacher: UnsafeBufferPointer<Float>, compressed: UnsafeBufferPointer<Float>
) throws -> Double {
    var divergence = ForcedDecodingDivergence()
    try divergence.add(teacher: teacher, compressed: compressed)
    guard let mean = divergence.meanNats else {
        throw VernierError(.emptyInput, at: "bit logits", expected: "at least one bit", found: "none")
    }
    return mean
}
