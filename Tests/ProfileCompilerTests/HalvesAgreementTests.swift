import CalibrationStatistics
import ProfileFormat
import Testing
import VernierCore

@testable import ProfileCompiler

@Suite struct HalvesAgreementTests {
    private static let sides = [1, 2, 3, 4, 5]

    /// Statistics of some prompts, each a made-up calibration of one prompt.
    private func statistics(seeds: [UInt64], halves: Bool = true) throws -> CalibrationStatistics {
        let parts = try seeds.map { try SyntheticStatistics.random(layers: 2, heads: 2, sides: Self.sides, seed: $0) }
        let settings = parts[0].settings
        var statistics = try CalibrationStatistics(
            identity: parts[0].identity, schedule: parts[0].schedule,
            settings: CalibrationSettings(
                topCounts: settings.topCounts, signCount: settings.signCount, keepsHalves: halves, seed: settings.seed,
                guidance: settings.guidance, temperature: settings.temperature, topP: settings.topP,
                toolVersion: settings.toolVersion),
            corpus: CorpusReference(digest: SyntheticStatistics.digest, promptCount: seeds.count))
        for (index, part) in parts.enumerated() {
            try statistics.add(
                part.sums, corpusIndex: index, promptDigest: SyntheticStatistics.digest,
                sketches: SyntheticStatistics.sketches(Int(seeds[index]), statistics.layout))
        }
        return statistics
    }

    @Test func equalHalvesAgreeWholly() throws {
        let agreement = try #require(try HalvesAgreement(statistics(seeds: [5, 5, 5, 5])))
        #expect(agreement.promptCounts == [2, 2] && agreement.groupAgreement == 1 && agreement.capacityOverlap == 1)
        #expect(agreement.summary.hasPrefix("halves of 2 and 2 prompts: groups agree 1.0 (adjusted Rand index)"))
    }

    /// The halves are compared as two calibrations of their own would be.
    @Test func halvesAgreeAsTwoCalibrationsWould() throws {
        let whole = try statistics(seeds: [1, 2, 3, 4, 5]),
            agreement = try #require(try HalvesAgreement(whole, budget: .keptShare(0.5)))
        #expect(agreement.promptCounts == [3, 2] && agreement.groupAgreement < 0.9)
        let request = CompilationRequest(
            policy: PolicyDescription(name: "rate-distortion"), budget: .keptShare(0.5),
            selection: try SelectionRule(name: "pooling-plan"), toolVersion: "test")
        let profiles = try [[1, 3, 5], [2, 4]].map { seeds -> Profile in
            try compile(statistics: statistics(seeds: seeds, halves: false), request: request)
        }
        let overlap = try ProfileOverlap(profiles[0], profiles[1])
        // The odd half is a difference of float32 sums: a merge between nearly equal costs may fall the other way.
        #expect(abs(agreement.groupAgreement - (try #require(overlap.groupAgreement))) < 0.05)
        #expect(abs(agreement.capacityOverlap - overlap.capacityOverlap) < 0.05)
    }

    @Test func withoutHalvesThereIsNothingToSay() throws {
        #expect(try HalvesAgreement(statistics(seeds: [1, 2, 3], halves: false)) == nil)
        #expect(try HalvesAgreement(statistics(seeds: [1])) == nil)
    }
}
