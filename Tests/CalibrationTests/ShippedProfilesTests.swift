import CalibrationStatistics
import Checkpoints
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import TestSupport
import Testing

/// What the repository ships must hang together: profiles, the statistics they were compiled from, and the model.
@Suite struct ShippedProfilesTests {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
        separator: "/")

    @Test(arguments: [20, 10, 5]) func profileFitsTheModelAndCompilesToTheSameAgain(share: Int) throws {
        let profile = try Profile(contentsOf: "\(Self.root)/Profiles/tangram-\(share).json")
        let model = try ModelDirectory(path: "\(Self.root)/Calibration/Models/tangram")
        try profile.requireFit(model: model.identity(), schedule: model.configuration.schedule)
        let statistics = try StatisticsFile.read("\(Self.root)/Calibration/Statistics/tangram.h5")
        #expect(statistics.isComplete)
        let again = try compile(
            statistics: statistics,
            request: CompilationRequest(
                policy: profile.policy, budget: profile.requestedBudget, selection: profile.selection,
                storage: profile.storage, toolVersion: profile.provenance.toolVersion))
        #expect(try again.canonicalText() == profile.canonicalText())
        #expect(profile.requestedBudget == .keptShare(Double(share) / 100))
    }
}
