import ArgumentParser
import TensorKernels
import VernierCore

/// Measures kernels for `Calibration/PyTorch/bench.py`, which repeats this in alternation with PyTorch's and works out
/// medians and shares of the roofline: prints one round of samples as JSON.
@main
struct VernierBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "VernierBench", abstract: "Print one round of kernel timings as JSON.")

    /// What can be measured.
    enum Case: String, CaseIterable, ExpressibleByArgument {
        case roofline, linear, attention
    }

    @Argument(help: "What to measure: \(Case.allCases.map(\.rawValue).joined(separator: ", ")) (default: all).")
    var cases: [Case] = Case.allCases
    @Option(help: "Rounds, one after the other; each prints its samples.")
    var rounds = 1

    func run() throws {
        let runs = try cases.map { name -> () -> [Sample] in
            switch name {
            case .roofline: return RooflineCase().run
            case .linear: return LinearCase().run
            case .attention: return try AttentionCase().run
            }
        }
        for run in runs { _ = run() }  // warm
        for _ in 0..<rounds {
            let samples = runs.flatMap { $0() }
            let json: JSONValue = [
                "format": "vernier-bench", "version": 1, "threads": .integer(Int64(Parallel.threadCount)),
                "kernels": .string(Kernels.instructionSet), "samples": .array(samples.map(\.jsonValue)),
            ]
            print(try json.canonicalLine())
        }
    }
}
