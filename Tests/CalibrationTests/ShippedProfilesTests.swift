import CalibrationStatistics
import Checkpoints
import Foundation
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import TestSupport
import Testing
import VernierCore

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
                policy: profile.policy, budget: profile.requestedBudget, selection: profile.selection.unrefined,
                storage: profile.storage, toolVersion: profile.provenance.toolVersion))
        // Refinement fits the numbers; groups, capacities and bytes are the compiler's.
        #expect(again.capacities == profile.capacities && again.realisedBudget == profile.realisedBudget)
        #expect(again.provenance == profile.provenance)
        let (plan, compiled) = (try #require(profile.plan), try #require(again.plan))
        for scale in 0..<profile.schedule.scaleCount {
            for layer in 0..<profile.model.layers {
                for head in 0..<profile.model.heads {
                    #expect(
                        plan.map(branch: 0, scale: scale, layer: layer, head: head).targets
                            == compiled.map(branch: 0, scale: scale, layer: layer, head: head).targets)
                }
            }
        }
        #expect(plan != compiled)
        #expect(profile.selection.parameters.integer("refinedPrompts") == statistics.promptCount)
        #expect(profile.requestedBudget == .keptShare(Double(share) / 100) && profile.storage == .int8)
        // Its held-out figures are of this very profile.
        let evidence = try #require(profile.evidence)
        #expect(evidence.promptCount >= 32)
    }

    /// What is read again and written gives the shipped bytes: newer members are written only where they say something.
    @Test func shippedFilesKeepTheirBytes() throws {
        let folder = "\(Self.root)/Profiles"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".json") }
        #expect(names.count >= 5)
        for name in names {
            let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
            #expect(try Profile(contentsOf: "\(folder)/\(name)").canonicalText() == text, "\(name)")
        }
        let statistics = "\(Self.root)/Calibration/Statistics/tangram.h5"
        let written = TemporaryDirectory(), again = written.file("again.h5")
        let read = try StatisticsFile.read(statistics)
        #expect(read.settings.arithmetic == .float32)
        try StatisticsFile.write(read, to: again)
        #expect(try StatisticsFile.digest(again) == StatisticsFile.digest(statistics))
    }

    /// ScaleKV's released budgets: made of the numbers in `Profiles/sources`, to the byte (`make peer-profiles`).
    @Test(arguments: ["2b", "8b"]) func peersProfilesAreMadeOfTheirNumbers(model: String) throws {
        let path = "\(Self.root)/Profiles/scalekv-infinity-\(model)-10.json"
        let shipped = try Profile(contentsOf: path)
        let configuration = try ModelRelease(named: "infinity-\(model)").configuration
        let again = try importScaleKVRows(
            contentsOf: "\(Self.root)/Profiles/sources/scalekv-10.json", release: "infinity-\(model)",
            target: ImportTarget(
                model: configuration.architectureIdentity(), schedule: configuration.schedule,
                toolVersion: shipped.provenance.toolVersion))
        #expect(try again.profile.canonicalText() == String(contentsOfFile: path, encoding: .utf8))
        #expect(again.warnings == [] && shipped.realisedBudget.meanTokensPerCell == 650)
    }
}
