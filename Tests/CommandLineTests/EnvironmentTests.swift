import CKernels
import Foundation
import TensorKernels
import TestSupport
import Testing
import VernierCore

/// What the environment may ask of the kernels, and what it may not.
@Suite struct EnvironmentTests {
    private let workshop: Workshop
    private let results = ResultsFolder()
    private let model: String

    init() throws {
        workshop = try Workshop.shared.get()
        model = try #require(workshop.paths["model"])
    }

    private func generate(_ name: String, _ environment: [String: String]) throws -> Tool.Outcome {
        try Tool.run(
            [
                "generate", "--model", model, "--prompt", "a red square", "--progress", "none", "--out",
                results.file(name),
            ], environment: environment)
    }

    @Test(arguments: [
        (["VERNIER_THREADS": "0"], "VERNIER_THREADS: expected a number of threads from 1 to 256, found \"0\""),
        (["VERNIER_THREADS": "two"], "found \"two\""), (["VERNIER_THREADS": "257"], "found \"257\""),
        (["VERNIER_KERNELS": "avx-512"], "VERNIER_KERNELS: expected one of plain"),
        (["VERNIER_GEMM": "openblas"], "VERNIER_GEMM: expected packed or blas, found \"openblas\""),
        (["VERNIER_ARITHMETIC": "half"], "VERNIER_ARITHMETIC: expected float32, or bfloat16"),
        (["VERNIER_ARITHMETIC": "bfloat16", "VERNIER_KERNELS": "plain"], "VERNIER_ARITHMETIC: expected float32"),
    ])
    func whatIsUnknownIsRefused(environment: [String: String], message: String) throws {
        let outcome = try generate("refused.png", environment)
        #expect(outcome.exitCode != 0 && !outcome.wasKilled)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        #expect(try results.listing().isEmpty)
    }

    @Test(.enabled(if: Arithmetic.bfloat16.isSupported)) func blasIsRefusedInBFloat16() throws {
        let outcome = try generate("refused.png", ["VERNIER_ARITHMETIC": "bfloat16", "VERNIER_GEMM": "blas"])
        #expect(outcome.exitCode != 0)
        #expect(outcome.errors.contains("expected packed in bfloat16 arithmetic"), "\(outcome.errors)")
    }

    /// Every instruction set that this machine has, any number of threads and empty variables give the same picture, and
    /// BLAS draws one.
    @Test func picturesDoNotDependOnHowTheyAreComputed() throws {
        let sets = ["plain", "avx2", "avx512"].prefix(Int(vk_isa_best()) + 1).map { ["VERNIER_KERNELS": $0] }
        let empty = ["VERNIER_KERNELS": "", "VERNIER_ARITHMETIC": "", "VERNIER_GEMM": ""]
        var pictures: Set<[UInt8]> = []
        for (place, environment) in (sets + [["VERNIER_THREADS": "3"], ["VERNIER_GEMM": "packed"], empty]).enumerated()
        {
            let outcome = try generate("\(place).png", environment)
            try #require(outcome.exitCode == 0, "\(environment): \(outcome.errors)")
            pictures.insert(try results.bytes("\(place).png"))
        }
        #expect(pictures.count == 1)
        #expect(try generate("blas.png", ["VERNIER_GEMM": "blas"]).exitCode == 0)
    }
}
