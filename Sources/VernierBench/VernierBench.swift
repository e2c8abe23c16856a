import ArgumentParser
import TensorKernels
import VernierCore

/// Prints one round of timings as JSON, for two scripts that repeat it in alternation with PyTorch and work out medians
/// and shares of the roofline: `Calibration/PyTorch/kernels.py` runs all cases, `bench.py` the roofline alone.
@main
struct VernierBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "VernierBench", abstract: "Print one round of kernel timings as JSON.",
        version: VernierVersion.current)

    /// What can be measured.
    enum Case: String, CaseIterable, ExpressibleByArgument {
        case roofline, linear, attention, profile, tool
    }

    @Argument(
        help: """
            What to measure: \(Case.allCases.map(\.rawValue).joined(separator: ", ")) (default: all but the tool, which \
            needs a model).
            """)
    var cases: [Case] = [.roofline, .linear, .attention, .profile]
    @Option(help: "Model directory, for the tool's stages.")
    var model: String?
    @Option(help: "Prompts as JSON lines, for the tool's stages.")
    var prompts: String?
    @Option(help: "Pictures that the tool's stages draw; few let what a calibration does once weigh more.")
    var pictures = 32
    @Option(help: "Profile of the model, to load and to draw with.")
    var profile: String?
    @Option(help: "Rounds, one after the other; each prints its samples.")
    var rounds = 1

    func validate() throws {
        if cases.contains(.tool), model == nil || prompts == nil {
            throw ValidationError("The tool's stages need --model and --prompts.")
        }
    }

    func run() throws {
        let tool =
            try cases.contains(.tool)
            ? ToolCase(model: model ?? "", prompts: prompts ?? "", profile: profile, pictures: pictures) : nil
        let profiles = cases.contains(.profile) ? try ProfileCase() : nil
        defer {
            try? tool?.clean()
            try? profiles?.clean()
        }
        let runs = try cases.map { name -> () throws -> [Sample] in
            switch name {
            case .roofline: return RooflineCase().run
            case .linear: return LinearCase().run
            case .attention: return try AttentionCase().run
            case .profile: return { try profiles?.run() ?? [] }
            case .tool: return { try tool?.run() ?? [] }
            }
        }
        for run in runs { _ = try run() }  // warm
        for _ in 0..<rounds {
            let samples = try runs.flatMap { try $0() }
            let json: JSONValue = [
                "format": "vernier-bench", "version": 1, "threads": .integer(Int64(Parallel.threadCount)),
                "arithmetic": .string(Arithmetic.current.rawValue), "kernels": .string(Kernels.instructionSet),
                "samples": .array(samples.map(\.jsonValue)),
            ]
            print(try json.canonicalLine())
        }
    }
}
