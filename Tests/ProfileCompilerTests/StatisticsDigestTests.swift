import CalibrationStatistics
import ProfileCompiler
import ProfileFormat
import Testing

/// A profile names what it was compiled from: everything that a plan goes by must be in the digest.
struct StatisticsDigestTests {
    /// Statistics of one prompt without mass, with these sketches and answers to disturbance.
    private func statistics(
        attention: Float = 0, key: Float = 0, value: Float = 0, squaredError: Double = 1, divergence: Double = 1,
        probed: Int = 1
    ) throws -> CalibrationStatistics {
        let identity = try ModelIdentity(
            family: "synthetic", name: "synthetic", branches: 2, layers: 2, heads: 2, headWidth: 8,
            shapeDigest: SyntheticStatistics.digest, weightsDigest: SyntheticStatistics.digest)
        var statistics = try CalibrationStatistics(
            identity: identity, schedule: SyntheticStatistics.schedule([1, 2, 3]),
            settings: CalibrationSettings(
                topCounts: [1], signCount: 2, sensitivityPrompts: probed, seed: 1, guidance: 3, temperature: 1, topP: 1,
                toolVersion: "test"),
            corpus: CorpusReference(digest: SyntheticStatistics.digest, promptCount: 1))
        let layout = statistics.layout
        var sketches = AttentionSketches(layout: layout, promptCount: 1)
        sketches.attention[3] = attention
        sketches.key[3] = key
        sketches.value[3] = value
        var responses: LayerResponses?
        if probed > 0 {
            var answer = LayerResponses(layout: layout)
            answer.squaredError[4] = squaredError
            answer.divergence[4] = divergence
            responses = answer
        }
        try statistics.add(
            AttentionStatistics(layout: layout), corpusIndex: 0, promptDigest: SyntheticStatistics.digest,
            sketches: sketches, responses: responses)
        return statistics
    }

    @Test func everythingThatAPlanGoesByIsInIt() throws {
        let all = try [
            statistics(), statistics(attention: 1), statistics(key: 1), statistics(value: 1),
            statistics(squaredError: 2), statistics(divergence: 2), statistics(probed: 0),
        ].map { $0.contentDigest() }
        #expect(Set(all).count == all.count)
        #expect(try statistics(value: 1).contentDigest() == all[3], "equal statistics have equal digests")
    }
}
