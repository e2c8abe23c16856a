import CKernels
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What the environment asks of the kernels; an empty variable asks for nothing.
///
/// - `VERNIER_THREADS`: threads of the pool, 1 to 256; without it one a core.
/// - `VERNIER_ARITHMETIC`: ``Arithmetic``, float32 unless it says so.
/// - `VERNIER_KERNELS`: the instruction set, plain, avx2 or avx512; without it the best one.
/// - `VERNIER_GEMM`: blas for the system's BLAS in linear layers, in float32; packed, or nothing, for our own kernels.
public enum KernelEnvironment {
    /// Throws one ``VernierError/Code/invalidArgument`` that names every variable that asks for what is unknown, or for what
    /// this machine cannot do: nothing falls back in silence.
    public static func requireKnown() throws {
        var problems: [String] = []
        func check(_ name: String, _ expected: String, _ isKnown: (String) -> Bool) {
            guard let text = value(name), !isKnown(text) else { return }
            problems.append("\(name): expected \(expected), found \(JSONValue.quoted(text))")
        }
        check("VERNIER_THREADS", "a number of threads from 1 to \(VK_MOST_THREADS)") {
            Int($0).map { (1...Int(VK_MOST_THREADS)).contains($0) } ?? false
        }
        let sets = ["plain", "avx2", "avx512"].prefix(Int(vk_isa_best()) + 1)
        check("VERNIER_KERNELS", "one of \(sets.joined(separator: ", ")) on this processor") { sets.contains($0) }
        check("VERNIER_GEMM", "packed or blas") { ["packed", "blas"].contains($0) }
        do {
            try Arithmetic.requireKnown()
        } catch let error as VernierError {
            problems += error.problems.map { "VERNIER_ARITHMETIC: \($0)" }
        }
        if usesBLAS, Arithmetic.current == .bfloat16 {
            problems.append("VERNIER_GEMM: expected packed in bfloat16 arithmetic, found \"blas\", which is float32")
        }
        guard problems.isEmpty else {
            throw VernierError(
                .invalidArgument, at: "environment", problems: problems, remedy: "Unset the variable, or correct it.")
        }
    }

    /// Whether linear layers go through the system's BLAS.
    static let usesBLAS = value("VERNIER_GEMM") == "blas"

    private static func value(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
