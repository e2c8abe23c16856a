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
    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        if try !looksLikeJSON(file) {
            let statistics = try StatisticsFile.read(file)
            guard !json else {
                print(try StatisticsSheet(statistics).json().canonicalText())
                return
            }
            print(StatisticsSheet(statistics).text())
            if let stability = Self.stability(statistics) {
                print((["", stability.summary] + stability.table.map { "  \($0)" }).joined(separator: "\n"))
            }
        } else {
            let profile = try Profile(contentsOf: file)
            print(try json ? profile.canonicalText() : ProfileSheet(profile).text())
        }
    }

    /// How stable the calibration is; nil if too few prompts tell, or no allocation meets the budget it is tried at.
    static func stability(_ statistics: CalibrationStatistics) -> CalibrationStability? {
        statistics.coverageProblems().isEmpty ? (try? CalibrationStability(statistics)) ?? nil : nil
    }
}
