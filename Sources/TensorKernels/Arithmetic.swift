import CKernels
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// In which precision linear layers, 3x3 convolutions and attention multiply.
public enum Arithmetic: String, Sendable, Hashable, CaseIterable {
    /// float32 products and sums: the rule. The same bits on every machine.
    case float32
    /// Products of numbers rounded to bfloat16, added in float32 (AVX512-BF16). Every factor is off by at most 2^-8 of
    /// itself, so a layer's output by at most about 2^-7 of the sum of its products' magnitudes (of a convolution: of the
    /// products that Winograd's filtering takes in place of its own). Attention rounds queries and keys, then
    /// probabilities (before they are divided by their sum) and values. Pictures differ visibly from those in float32 as
    /// those of any bfloat16 run do. Bits do not depend on rows or threads.
    case bfloat16

    /// What `VERNIER_ARITHMETIC` in the environment asks for, if this machine can; else float32. See ``requireKnown()``.
    public static let current: Arithmetic = (try? requested()) ?? .float32

    /// Whether this machine, with the kernels it is told to use, can multiply so.
    public var isSupported: Bool { self == .float32 || vk_has_bfloat16_dots() != 0 }

    /// Throws ``VernierError/Code/invalidArgument`` if the environment asks for what is unknown, or what this machine
    /// cannot do: nothing falls back in silence.
    public static func requireKnown() throws { _ = try requested() }

    private static func requested() throws -> Arithmetic {
        guard let text = getenv("VERNIER_ARITHMETIC").map({ String(cString: $0) }), !text.isEmpty else {
            return .float32
        }
        guard let found = Arithmetic(rawValue: text), found.isSupported else {
            throw VernierError(
                .invalidArgument, at: "VERNIER_ARITHMETIC",
                expected: "float32, or bfloat16 on a processor with AVX512-BF16", found: JSONValue.quoted(text),
                remedy: "Leave it out, or run on such a processor.")
        }
        return found
    }
}
