import ArgumentParser
import CalibrationStatistics
import Presentation
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import VernierCore

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a profile or a statistics file for people.")

    @Argument(help: "Profile (JSON) or statistics (HDF5).")
    var file: String
    @Option(help: "Statistics a profile with a plan is from: show where it is predicted to lose fidelity.")
    var statistics: String?
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if json, statistics != nil { throw ValidationError("--statistics is for people, without --json.") }
    }

    func run() throws {
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
        } else {
            let profile = try Profile(contentsOf: file)
            print(try json ? profile.canonicalText() : ProfileSheet(profile).text())
            if let statistics, !json {
                let predicted = try predictedDistortion(of: profile, statistics: StatisticsFile.read(statistics))
                print("\n" + DistortionSheet(predicted).text())
            }
        }
    }

    /// How stable the calibration is; nil if too few prompts tell, or no allocation meets the budget it is tried at.
    static func stability(_ statistics: CalibrationStatistics) -> CalibrationStability? {
        statistics.coverageProblems().isEmpty ? (try? CalibrationStability(statistics)) ?? nil : nil
    }
}
