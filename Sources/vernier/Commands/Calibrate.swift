import ArgumentParser
import Calibration
import CalibrationStatistics
import Foundation
import Generation
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import VernierCore

struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a corpus through the model with the full cache and measure its attention.")

    @Option(help: "Model directory.")
    var model: String
    @Option(help: "Prompts as JSON lines, {\"prompt\": \"...\"} or {\"class\": 207}.")
    var prompts: String
    @Option(help: "Statistics file to write (HDF5).")
    var out: String
    @Option(help: "Use only the first N prompts.")
    var limit: Int?
    @Option(
        help:
            "Draw every prompt N times, with other noise each time; steadier numbers, but no stand-in for more prompts."
    )
    var pictures: Int = 1
    @Option(help: "Seed; prompt i of the corpus is drawn with seed + i.")
    var seed: UInt64 = 0
    @Option(help: "Prompts that run together; does not change the numbers.")
    var batch: Int = 4
    @Option(help: "Save after every N prompts.")
    var saveEvery: Int = 16
    @Option(help: "Top counts K' of the selectivity index, ascending, comma-separated.")
    var topCounts: String = "1,4,16,64"
    @Option(help: "Random signs of the sketches that pooling plans need; 0 leaves the sketches out.")
    var signs: Int = 32
    @Flag(
        inversion: .prefixedNo,
        help: """
            Keep the sketches of every other prompt apart too, to judge the groups (default: if they take at most \
            \(Calibrator.halvesBytes >> 20) MiB).
            """)
    var halves: Bool?
    @Option(
        help:
            "Measure how sensitive each layer is with the first N prompts, each drawn once more a layer; 0: not at all."
    )
    var sensitivityPrompts: Int = 2
    @Option(help: "Write how long it took as JSON.")
    var report: String?
    @Flag(help: "Go on where an interrupted run of the same settings was saved.")
    var resume = false
    @Flag(help: "Say what would be done, write nothing.")
    var dryRun = false
    @OptionGroup var schedule: ScheduleOptions
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var progress: ProgressOption

    func validate() throws {
        try requireAtLeast(1, limit, option: "--limit")
        try requireAtLeast(1, pictures, option: "--pictures")
        try requireAtLeast(1, batch, option: "--batch")
        try requireAtLeast(1, saveEvery, option: "--save-every")
        try requireAtLeast(0, signs, option: "--signs")
        try requireAtLeast(0, sensitivityPrompts, option: "--sensitivity-prompts")
        guard parsedTopCounts != nil else {
            throw ValidationError("--top-counts: expected whole numbers separated by commas, found '\(topCounts)'.")
        }
    }

    private var parsedTopCounts: [Int]? {
        let parts = topCounts.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        return parts.contains(nil) ? nil : parts.compactMap { $0 }
    }

    func run() throws {
        try requirePlace(forFile: out)
        try report.map(requirePlace(forFile:))
        let corpus = try Corpus(path: prompts).drawing(pictures, ofFirst: limit)
        let loaded = try ImageModel(path: model, schedule: schedule.choice())
        let calibrator = try Calibrator(
            model: loaded,
            request: CalibrationRequest(
                corpus: corpus, limit: pictures > 1 ? nil : limit, seed: seed,
                settings: try sampling.settings(for: loaded),
                topCounts: parsedTopCounts ?? [], signCount: signs, keepsHalves: halves,
                sensitivityPrompts: sensitivityPrompts, batchSize: batch, saveInterval: saveEvery,
                toolVersion: VernierVersion.current))
        let exists = FileManager.default.fileExists(atPath: out)
        if resume, exists { try calibrator.resume(from: try StatisticsFile.read(out), name: fileName(of: out)) }
        if dryRun {
            print(calibrator.plan())
            return
        }
        let before = calibrator.statistics.promptCount
        try progress.run { try calibrator.run(savingTo: out, progress: $0) }
        if let report {
            let json: JSONValue = [
                "format": "vernier-calibration", "version": 1, "tool": .string(VernierVersion.current),
                "model": loaded.identity.jsonValue, "schedule": loaded.schedule.jsonValue,
                "run": calibrator.times.jsonValue,
            ]
            try AtomicFile.write(try json.canonicalText(), to: report)
        }
        let summary = try StatisticsFile.readSummary(out)
        print(
            "\(summary.promptCount) \(pictures > 1 ? "pictures of \(summary.promptCount / pictures) prompts" : "prompts")\(before > 0 ? " (\(before) of them from the saved run)" : "") -> \(out), "
                + "\(summary.fileBytes) bytes")
        if let stability = Show.stability(calibrator.statistics) { print(stability.summary) }
        if let halves = Show.halves(calibrator.statistics) { print(halves.summary) }
    }
}
