import CKernels
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension Arithmetic {
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
