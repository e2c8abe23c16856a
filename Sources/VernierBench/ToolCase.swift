import Calibration
import CalibrationStatistics
import Foundation
import Generation
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import VernierCore

/// The tool's own stages on a model: loading, drawing pictures with the full cache and with a profile, calibrating on as
/// many, without and with the probes of layers and formats, compiling. Drawing and calibrating alternate within a round;
/// drawing includes the image decoder, which a calibration does not run.
struct ToolCase {
    private let path: String
    private let profilePath: String?
    private let corpus: Corpus
    private let model: ImageModel
    private let generators: [(variant: String, generator: ImageGenerator)]
    private let folder: URL
    private let weightBytes: Int
    private let pictures: Int

    init(model path: String, prompts: String, profile: String?, pictures: Int) throws {
        self.pictures = pictures
        self.path = path
        profilePath = profile
        let file = try Corpus(path: prompts)
        guard file.prompts.count >= pictures else {
            throw VernierError(
                .invalidArgument, at: prompts, expected: "at least \(pictures) prompts",
                found: "\(file.prompts.count)")
        }
        corpus = file
        model = try ImageModel(path: path)
        var generators = [("draw with the full cache", try ImageGenerator(model: model))]
        if let profile {
            generators.append(
                ("draw with the profile", try ImageGenerator(model: model, profile: try Profile(contentsOf: profile))))
        }
        self.generators = generators
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("VernierBench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let files = FileManager.default.enumerator(at: URL(fileURLWithPath: path), includingPropertiesForKeys: nil)
        weightBytes = (files?.allObjects ?? []).compactMap { $0 as? URL }.filter { $0.pathExtension == "safetensors" }
            .reduce(0) { $0 + ((try? $1.resourceValues(forKeys: [.fileSizeKey]))?.fileSize ?? 0) }
    }

    /// Removes what ``run()`` wrote.
    func clean() throws { try FileManager.default.removeItem(at: folder) }

    func run() throws -> [Sample] {
        let requests = try corpus.prompts.prefix(pictures).map { try model.request(for: $0, seed: 0) }
        let work = "\(pictures) pictures, 4 together"
        var samples = try generators.map { variant, generator in
            let seconds = try Stopwatch.seconds {
                _ = try generator.generate(requests, settings: model.defaultSettings, batchSize: 4)
            }
            return Sample(name: work, variant: variant, seconds: seconds)
        }
        let statistics = folder.appendingPathComponent("statistics.h5").path
        let probing = CalibrationRequest(corpus: corpus, limit: pictures, batchSize: 4, toolVersion: "bench")
        var plain = probing
        plain.sensitivityPrompts = 0
        for (variant, request) in [("calibrate without probes", plain), ("calibrate with probes", probing)] {
            let calibrator = try Calibrator(model: model, request: request)
            let seconds = try Stopwatch.seconds { try calibrator.run(savingTo: statistics) }
            samples.append(Sample(name: work, variant: variant, seconds: seconds))
        }
        let compiling = try Stopwatch.seconds {
            let measured = try StatisticsFile.read(statistics)
            _ = try compile(
                statistics: measured,
                request: CompilationRequest(
                    policy: PolicyDescription(name: CompilationRequest.defaultPolicyName(for: measured)),
                    budget: try BudgetRequest.parse("10%"),
                    selection: try SelectionRule(name: CompilationRequest.defaultSelectionName(for: measured)),
                    toolVersion: "bench"))
        }
        samples.append(Sample(name: "compile 10 %", variant: "from statistics with probes", seconds: compiling))
        let loading = try Stopwatch.seconds { _ = try ImageModel(path: path) }
        samples.append(Sample(name: "load the model", variant: "packed", seconds: loading, bytes: Double(weightBytes)))
        if let profilePath {
            let seconds = try Stopwatch.seconds {
                try Profile(contentsOf: profilePath).requireFit(
                    model: model.identity, schedule: model.schedule, name: profilePath)
            }
            samples.append(Sample(name: "load the profile", variant: "checked", seconds: seconds))
        }
        return samples
    }
}
