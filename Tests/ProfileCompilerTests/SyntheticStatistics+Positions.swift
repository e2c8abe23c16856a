import CalibrationStatistics
import ProfileFormat

extension SyntheticStatistics {
    /// One prompt with a chosen attention mass on every history position; the current map gets the rest.
    ///
    /// Entropy and variance are 1 unless chosen; `sketches` are the roots of the mean squared attention of each
    /// position, one sign each. Both branches get the same, unless `mass` tells them apart.
    static func positions(
        layers: Int, heads: Int, branches: Int = 2, schedule: ScaleSchedule,
        entropy: (_ layer: Int, _ scale: Int) -> Double = { _, _ in 1 },
        variance: (_ layer: Int, _ head: Int, _ scale: Int) -> Double = { _, _, _ in 1 },
        sketches attention: ((_ layer: Int, _ head: Int, _ scale: Int) -> [Float])? = nil,
        mass: (_ branch: Int, _ layer: Int, _ head: Int, _ scale: Int) -> [Double]
    ) throws -> CalibrationStatistics {
        let identity = try ModelIdentity(
            family: "synthetic", name: "synthetic", branches: branches, layers: layers, heads: heads, headWidth: 16,
            shapeDigest: digest, weightsDigest: digest)
        var statistics = try CalibrationStatistics(
            identity: identity, schedule: schedule,
            settings: CalibrationSettings(
                topCounts: [1], signCount: attention == nil ? 0 : 1, seed: 11, guidance: 3, temperature: 1, topP: 1,
                toolVersion: "test"),
            corpus: CorpusReference(digest: digest, promptCount: 1))
        let layout = statistics.layout
        var prompt = AttentionStatistics(layout: layout)
        for branch in 0..<branches {
            for layer in 0..<layers {
                for head in 0..<heads {
                    for scale in 0..<schedule.scaleCount {
                        let masses = mass(branch, layer, head, scale)
                        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
                        prompt.currentMass[cell] = 1 - masses.reduce(0, +)
                        prompt.rowEntropy[cell] = entropy(layer, scale)
                        prompt.columnVariance[cell] = variance(layer, head, scale)
                        let positions = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
                        prompt.positionMass.replaceSubrange(positions, with: masses)
                        for source in 0..<scale {
                            let first = schedule.historyTokens(source)
                            let index = layout.sourceMassIndex(
                                branch: branch, layer: layer, head: head, scale: scale, source: source)
                            prompt.sourceMass[index] =
                                masses[first..<first + schedule.tokenCount(source)].reduce(0, +)
                        }
                        prompt.topMass[
                            layout.topMassIndex(
                                branch: branch, layer: layer, head: head, scale: scale, topCountIndex: 0)] =
                            masses.max() ?? 0
                    }
                }
            }
        }
        var sketches = AttentionSketches(layout: layout, promptCount: 1)
        if let attention {
            for branch in 0..<branches {
                for cell in 0..<layers * heads {
                    for scale in 1..<schedule.scaleCount {
                        let rows = layout.positions(
                            branch: branch, layer: cell / heads, head: cell % heads, scale: scale)
                        // Reading divides by the root of the queries.
                        let factor = Float(schedule.tokenCount(scale)).squareRoot()
                        sketches.attention.replaceSubrange(
                            rows, with: attention(cell / heads, cell % heads, scale).map { $0 * factor })
                    }
                }
            }
        }
        try statistics.add(
            prompt, corpusIndex: 0, promptDigest: digest, sketches: attention == nil ? nil : sketches)
        return statistics
    }
}
