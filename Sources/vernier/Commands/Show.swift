import ArgumentParser
import CalibrationStatistics
import Checkpoints
import Presentation
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import VernierCore

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a profile, a statistics file or a model directory for people.")

    @Argument(help: "Profile (JSON), statistics (HDF5) or model directory.")
    var file: String?
    @Option(
        help: """
            Instead of a file: a released model by its sizes alone, \
            \(ModelRelease.all.map(\.name).joined(separator: ", ")).
            """)
    var like: String?
    @Option(help: "Model directory: a profile whose bytes to show beside the full cache's.")
    var profile: String?
    @Option(help: "Model directory: tokens of the prompt, for the operations of a picture.")
    var textTokens: Int = 64
    @OptionGroup var schedule: ScheduleOptions
    @Option(help: "Statistics a profile with a plan is from: show where it is predicted to lose fidelity.")
    var statistics: String?
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (file == nil) != (like == nil) else { throw ValidationError("Give either a file or --like NAME.") }
        if json, statistics != nil { throw ValidationError("--statistics is for people, without --json.") }
        try requireAtLeast(1, textTokens, option: "--text-tokens")
    }

    func run() throws {
        guard let file, isFolder(file) != true else {
            guard statistics == nil else {
                throw VernierError(
                    .invalidArgument, at: "--statistics", expected: "a profile to show with them",
                    found: "a model directory")
            }
            return try showModel()
        }
        guard profile == nil, schedule.resolution == nil, schedule.aspect == nil else {
            throw VernierError(
                .invalidArgument, at: fileName(of: file),
                expected: "a model directory, for --profile, --resolution and --aspect", found: "a file")
        }
        if try !looksLikeJSON(file) {
            guard statistics == nil else {
                throw VernierError(
                    .invalidArgument, at: "--statistics", expected: "a profile to show with them",
                    found: "a statistics file")
            }
            let measured = try StatisticsFile.read(file)
            guard !json else {
                print(try StatisticsSheet(measured).json().canonicalText())
                return
            }
            print(StatisticsSheet(measured).text())
            if let stability = Self.stability(measured) {
                print((["", stability.summary] + stability.table.map { "  \($0)" }).joined(separator: "\n"))
            }
            if let halves = Self.halves(measured) { print(halves.summary) }
        } else {
            let profile = try Profile(contentsOf: file)
            print(try json ? profile.canonicalText() : ProfileSheet(profile).text())
            if let statistics, !json {
                let predicted = try predictedDistortion(of: profile, statistics: StatisticsFile.read(statistics))
                print("\n" + DistortionSheet(predicted).text())
            }
        }
    }

    /// How far both halves of the calibration decide alike; nil without halves, or if no plan meets the budget.
    static func halves(_ statistics: CalibrationStatistics) -> HalvesAgreement? {
        statistics.coverageProblems().isEmpty ? (try? HalvesAgreement(statistics)) ?? nil : nil
    }

    /// How stable the calibration is; nil if too few prompts tell, or no allocation meets the budget it is tried at.
    static func stability(_ statistics: CalibrationStatistics) -> CalibrationStability? {
        statistics.coverageProblems().isEmpty ? (try? CalibrationStability(statistics)) ?? nil : nil
    }
}
