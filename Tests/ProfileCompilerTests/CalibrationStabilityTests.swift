import CalibrationStatistics
import ProfileFormat
import Testing
import VernierCore

@testable import ProfileCompiler

@Suite struct CalibrationStabilityTests {
    /// Statistics of prompts that have nothing in common.
    private func unrelated(_ prompts: Int, seed: UInt64 = 100) throws -> CalibrationStatistics {
        let parts = try (0..<prompts).map {
            try SyntheticStatistics.random(layers: 8, heads: 1, sides: [1, 2, 3, 4, 5, 6], seed: seed + UInt64($0))
        }
        var statistics = try CalibrationStatistics(
            identity: parts[0].identity, schedule: parts[0].schedule, settings: parts[0].settings,
            corpus: CorpusReference(digest: SyntheticStatistics.digest, promptCount: prompts))
        for (index, part) in parts.enumerated() {
            try statistics.add(
                part.sums, corpusIndex: index, promptDigest: SyntheticStatistics.digest, sketches: part.sketches)
        }
        return statistics
    }

    @Test func equalPromptsAreStable() throws {
        let statistics = try SyntheticStatistics.make(layers: 6, heads: 2, sides: [1, 2, 3, 4, 5, 6], prompts: 9) {
            // All different, or a rounding would decide ties.
            0.1 + 0.8 * Double((37 * $0 + 23 * $1 + 5 * $0 * $1) % 41) / 41
        }
        let stability = try #require(try CalibrationStability(statistics))
        #expect(stability.rows.map(\.promptCount) == [2, 4, 8, 9])
        #expect(stability.rows.allSatisfy { $0.capacityOverlap == 1 && $0.drafterJaccard == 1 })
        #expect(stability.isStable && stability.summary.hasPrefix("stable for 9 prompts: "), "\(stability.summary)")
        #expect(stability.table.count == 4 && stability.table[0].hasPrefix("2 prompts: "))
    }

    @Test func unrelatedPromptsAreNotStableAndMoreAreStabler() throws {
        let statistics = try unrelated(64)
        let stability = try #require(try CalibrationStability(statistics))
        #expect(stability.rows.map(\.promptCount) == [2, 4, 8, 16, 32, 64])
        for row in stability.rows {
            #expect((0...1).contains(row.capacityOverlap) && (0...1).contains(row.drafterJaccard))
            #expect(row.capacityOverlapLow <= row.capacityOverlap)
        }
        let (few, many) = (stability.rows[0], stability.rows[5])
        #expect(few.capacityOverlap < many.capacityOverlap && few.drafterJaccard < many.drafterJaccard, "\(stability)")
        #expect(few.drafterJaccard < 0.6 && !stability.isStable, "\(stability)")
        #expect(stability.summary.hasPrefix("not stable for 64 prompts: ") && stability.summary.hasSuffix("help."))
        #expect(try CalibrationStability(statistics) == stability, "the same twice")
        #expect(try CalibrationStability(statistics, seed: 1) != stability)
    }

    @Test func aFewPromptsTellNothing() throws {
        #expect(try CalibrationStability(unrelated(3)) == nil)
        #expect(try CalibrationStability(unrelated(4)) != nil)
        #expect(throws: VernierError.self) { try CalibrationStability(unrelated(4), budget: .keptShare(1e-9)) }
    }

    @Test func everyPromptOnceIsTheCalibrationItself() throws {
        let statistics = try unrelated(5)
        let again = statistics.resampled(prompts: Array(0..<5))
        #expect(again.sums == statistics.sums && again.counts == statistics.counts)
        // One prompt alone has its own means.
        let alone = statistics.resampled(prompts: [3, 3, 3])
        let own = try SyntheticStatistics.random(layers: 8, heads: 1, sides: [1, 2, 3, 4, 5, 6], seed: 103)
        for layer in 0..<8 {
            let (mean, expected) = (
                alone.meanCurrentMass(branch: 1, layer: layer, head: 0, scale: 4),
                own.meanCurrentMass(branch: 1, layer: layer, head: 0, scale: 4)
            )
            #expect(abs(mean - expected) < 1e-12)
        }
    }
}
