import CalibrationStatistics
import ProfileCompiler
import ProfileFormat
import Testing
import VernierCore

/// A profile names what it was compiled from: everything that a plan goes by must be in the digest.
struct StatisticsDigestTests {
    /// Statistics of one prompt, with one of its measurements replaced.
    private func statistics(
        attention: Float? = nil, key: Float? = nil, value: Float? = nil, squaredError: Double = 1,
        divergence: Double = 1, storageError: Double = 1, formats: [StorageFormat] = [.int8], probed: Int = 1,
        arithmetic: Arithmetic = .float32
    ) throws -> CalibrationStatistics {
        let plain = try PlanTests.statistics(), layout = plain.layout
        var statistics = try CalibrationStatistics(
            identity: plain.identity, schedule: plain.schedule,
            settings: CalibrationSettings(
                topCounts: plain.settings.topCounts, signCount: plain.settings.signCount, sensitivityPrompts: probed,
                storageFormats: probed > 0 ? formats : [], seed: 1, guidance: 3, temperature: 1, topP: 1,
                arithmetic: arithmetic, toolVersion: "test"),
            corpus: plain.corpus)
        var sketches = plain.sketches
        if let attention { sketches.attention[3] = attention }
        if let key { sketches.key[3] = key }
        if let value { sketches.value[3] = value }
        var responses: LayerResponses?, errors: StorageErrors?
        if probed > 0 {
            var answer = LayerResponses(layout: layout)
            answer.squaredError[4] = squaredError
            answer.divergence[4] = divergence
            responses = answer
            var error = StorageErrors(layout: layout, formatCount: formats.count)
            error.values[0][5] = storageError
            errors = error
        }
        try statistics.add(
            plain.sums, corpusIndex: 0, promptDigest: SyntheticStatistics.digest, sketches: sketches,
            responses: responses, storageErrors: errors)
        return statistics
    }

    @Test func everythingThatAPlanGoesByIsInIt() throws {
        let all = try [
            statistics(), statistics(attention: 99), statistics(key: 99), statistics(value: 99),
            statistics(squaredError: 2), statistics(divergence: 2), statistics(storageError: 2),
            statistics(formats: [.int4]), statistics(probed: 0), statistics(arithmetic: .bfloat16),
        ].map { $0.contentDigest() }
        #expect(Set(all).count == all.count)
        #expect(try statistics(value: 99).contentDigest() == all[3], "equal statistics have equal digests")
    }
}
