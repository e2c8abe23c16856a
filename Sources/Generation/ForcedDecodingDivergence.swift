import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How far a compressed cache moves the distributions of the next choices when both runs are fed the teacher's choices:
/// the mean over choices (bits of Infinity, tokens of VAR) of `KL(teacher || compressed)` in nats.
///
/// Unlike PSNR it is not carried away by one early choice that falls the other way, so it tells close policies apart with
/// few prompts. Sums add up: runs, scales and prompts may be added in any grouping (``add(_:)``).
///
/// With logits `t` (teacher) and `c` (compressed) of the values of a choice, and `S(x) = log sum_i e^(x_i)`:
///
///     KL = sum_i p_i (t_i - c_i) - S(t) + S(c),  p_i = e^(t_i - S(t)).
///
/// For a bit, with the log odds `t` and `c`, each the difference `logit[2i+1] - logit[2i]`, and `s(x) = log(1 + e^x)`:
///
///     KL = p (s(-c) - s(-t)) + (1 - p) (s(c) - s(t)),  p = 1 / (1 + e^-t).
///
/// No probability is divided by or taken the logarithm of, so logits of any finite size are safe. Float64; an
/// absolute error of about 1e-16 times the largest logit remains, and tiny negative results are cut to 0.
public struct ForcedDecodingDivergence: Sendable, Hashable {
    /// The sum of the divergences in nats.
    public private(set) var sumNats = 0.0
    /// The number of choices in the sum.
    public private(set) var choices = 0

    /// Starts an empty sum.
    public init() {}

    /// The mean per choice in nats; nil before the first.
    public var meanNats: Double? { choices > 0 ? sumNats / Double(choices) : nil }

    /// Adds another sum.
    public mutating func add(_ other: Self) {
        sumNats += other.sumNats
        choices += other.choices
    }

    /// Adds the logits of some choices of `values` values each, `[choices, values]` for both runs. Of a bit's two, the
    /// first is for 0.
    ///
    /// Throws ``VernierCore/VernierError/Code/mismatch`` if the counts differ or are no multiple of `values`, and
    /// ``VernierCore/VernierError/Code/nonFinite`` if a logit is not finite; the sum is then unchanged.
    /// - Precondition: `values` is at least 2.
    public mutating func add(
        teacher: UnsafeBufferPointer<Float>, compressed: UnsafeBufferPointer<Float>, values: Int = 2
    ) throws {
        precondition(values >= 2, "values is at least 2")
        guard teacher.count == compressed.count, teacher.count.isMultiple(of: values) else {
            throw VernierError(
                .mismatch, at: "logits",
                expected: "\(values) logits a choice, as many as the teacher's \(teacher.count)",
                found: "\(compressed.count)")
        }
        var sum = 0.0
        for first in stride(from: 0, to: teacher.count, by: values) {
            let row = first..<(first + values)
            guard row.allSatisfy({ teacher[$0].isFinite && compressed[$0].isFinite }) else {
                throw VernierError(
                    .nonFinite, at: "logits", expected: "finite logits", found: "others at choice \(first / values)")
            }
            sum +=
                values == 2
                ? Self.nats(
                    teacherLogOdds: Double(teacher[first + 1]) - Double(teacher[first]),
                    compressedLogOdds: Double(compressed[first + 1]) - Double(compressed[first]))
                : Self.nats(
                    teacher: UnsafeBufferPointer(rebasing: teacher[row]),
                    compressed: UnsafeBufferPointer(rebasing: compressed[row]))
        }
        sumNats += sum
        choices += teacher.count / values
    }

    /// `KL(teacher || compressed)` of one choice from its finite logits, as many in both.
    public static func nats(teacher t: UnsafeBufferPointer<Float>, compressed c: UnsafeBufferPointer<Float>) -> Double {
        let topT = t.max().map { Double($0) } ?? 0, topC = c.max().map { Double($0) } ?? 0
        var sumT = 0.0, sumC = 0.0, moved = 0.0
        for i in t.indices {
            // Both counted from their largest, which keeps the differences small.
            let fromT = Double(t[i]) - topT, fromC = Double(c[i]) - topC
            let weight = exp(fromT)
            sumT += weight
            sumC += exp(fromC)
            moved += weight * (fromT - fromC)
        }
        return max(0, moved / sumT - log(sumT) + log(sumC))
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

/// The mean over choices of `KL(teacher || compressed)` in nats; see ``ForcedDecodingDivergence``.
///
/// Throws ``VernierCore/VernierError/Code/emptyInput`` without logits, and as
/// ``ForcedDecodingDivergence/add(teacher:compressed:values:)``.
public func forcedDecodingKL(
    teacher: UnsafeBufferPointer<Float>, compressed: UnsafeBufferPointer<Float>, values: Int = 2
) throws -> Double {
    var divergence = ForcedDecodingDivergence()
    try divergence.add(teacher: teacher, compressed: compressed, values: values)
    guard let mean = divergence.meanNats else {
        throw VernierError(.emptyInput, at: "logits", expected: "at least one choice", found: "none")
    }
    return mean
}
