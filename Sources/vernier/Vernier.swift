import ArgumentParser
import TensorKernels
import VernierCore

/// The command line: parses, calls a library, prints. Usage mistakes exit with 64, other failures with 1.
@main
struct Vernier: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vernier",
        abstract:
            "Calibrate a next-scale image model once, compile a KV-cache profile, generate with a fraction of the cache.",
        discussion: """
            calibrate   prompts -> statistics (HDF5)
            compile     statistics + budget -> profile (JSON)
            generate    model [+ profile] -> pictures
            eval        profiles against the full cache -> table and contact sheet
            frontier    every method at every budget -> fidelity per byte
            import/export  files of ScaleKV and HeatKV <-> profile
            convert     checkpoint as downloaded -> model directory
            synth       released model -> random checkpoint of its shapes
            rank        does predicted distortion rank profiles as measurement does?

            Environment:
            VERNIER_THREADS     threads (default: one a core)
            VERNIER_ARITHMETIC  float32, the same bits everywhere (default), or bfloat16 on AVX512-BF16
            VERNIER_KERNELS     plain, avx2 or avx512 (default: the best that the processor has)
            VERNIER_GEMM        packed (default), or blas for the system's
            VERNIER_CACHE       off keeps no digests of weights between runs
            """,
        version: VernierVersion.current,
        subcommands: [
            Generate.self, Calibrate.self, Compile.self, Show.self, Verify.self, Overlap.self, Evaluate.self,
            FrontierCommand.self, Rank.self, ImportCommand.self, ExportCommand.self, ConvertCommand.self, Synth.self,
        ])

    func validate() throws { try KernelEnvironment.requireKnown() }
}
