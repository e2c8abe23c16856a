import CalibrationStatistics
import ProfileFormat
import TestSupport
import VernierCore

/// Statistics with chosen masses on the current map, without a model.
enum SyntheticStatistics {
    static let digest = String(repeating: "0123456789abcdef", count: 4)

    static func schedule(_ sides: [Int]) throws -> ScaleSchedule {
        try ScaleSchedule(
            grids: sides.map { ScaleSchedule.Grid(height: $0, width: $0) },
            ropeGrid: ScaleSchedule.Grid(height: 64, width: 64))
    }

    /// One prompt in which the history gets `1 - currentMass`, and the best tokens `topShare` of that.
    static func make(
        layers: Int, heads: Int, branches: Int = 2, headWidth: Int = 16, sides: [Int], topCounts: [Int] = [1, 4, 16],
        prompts: Int = 1, signs: Int = 2, topShare: (_ layer: Int, _ scale: Int) -> Double = { _, _ in 0.5 },
        currentMass: (_ layer: Int, _ scale: Int) -> Double
    ) throws -> CalibrationStatistics {
        let identity = try ModelIdentity(
            family: "synthetic", name: "synthetic", branches: branches, layers: layers, heads: heads,
            headWidth: headWidth, shapeDigest: digest, weightsDigest: digest)
        var statistics = try CalibrationStatistics(
            identity: identity, schedule: schedule(sides),
            settings: CalibrationSettings(
                topCounts: topCounts, signCount: signs, seed: 11, guidance: 3, temperature: 1, topP: 1,
                toolVersion: "test"),
            corpus: CorpusReference(digest: digest, promptCount: max(prompts, 1)))
        let layout = statistics.layout
        var prompt = AttentionStatistics(layout: layout)
        for branch in 0..<branches {
            for layer in 0..<layers {
                for head in 0..<heads {
                    for scale in sides.indices {
                        let history = statistics.schedule.historyTokens(scale)
                        let mass = scale == 0 ? 1 : currentMass(layer, scale)
                        prompt.currentMass[
                            layout.cell(branch: branch, layer: layer, head: head, scale: scale)] = mass
                        for source in 0..<scale {
                            let index = layout.sourceMassIndex(
                                branch: branch, layer: layer, head: head, scale: scale, source: source)
                            prompt.sourceMass[index] =
                                (1 - mass) * Double(statistics.schedule.tokenCount(source)) / Double(history)
                        }
                        for position in layout.positions(branch: branch, layer: layer, head: head, scale: scale) {
                            prompt.positionMass[position] = (1 - mass) / Double(history)
                        }
                        for index in topCounts.indices {
                            let target = layout.topMassIndex(
                                branch: branch, layer: layer, head: head, scale: scale, topCountIndex: index)
                            prompt.topMass[target] = (1 - mass) * topShare(layer, scale)
                        }
                    }
                }
            }
        }
        for index in 0..<prompts {
            try statistics.add(
                prompt, corpusIndex: index, promptDigest: digest, sketches: sketches(index, statistics.layout))
        }
        return statistics
    }

    /// Random sketches of one prompt in which neighbours look alike; nil without signs.
    static func sketches(_ prompt: Int, _ layout: StatisticsLayout) -> AttentionSketches? {
        guard layout.signCount > 0 else { return nil }
        var random = SplitMix64(seed: UInt64(1000 + prompt))
        var sketches = AttentionSketches(layout: layout, promptCount: 1)
        func walk(_ count: Int, _ size: Float) -> [Float] {
            var row = random.floats(layout.signCount)
            var values: [Float] = []
            for _ in 0..<(count / layout.signCount) {
                for r in row.indices { row[r] = 0.8 * row[r] + 0.6 * random.float() }
                values += row.map { $0 * size }
            }
            return values
        }
        sketches.attention = walk(layout.valueCount(of: .attention), 0.05)
        sketches.key = walk(layout.valueCount(of: .key), 2)
        sketches.value = walk(layout.valueCount(of: .value), 1)
        return sketches
    }

    /// Seeded masses that differ for every layer and scale.
    static func random(layers: Int, heads: Int, branches: Int = 2, sides: [Int], seed: UInt64, signs: Int = 2)
        throws -> CalibrationStatistics
    {
        var random = SplitMix64(seed: seed)
        let current = (0..<layers * sides.count).map { _ in Double(random.float(in: 0.05...0.95)) }
        let top = (0..<layers * sides.count).map { _ in Double(random.float(in: 0.05...0.95)) }
        return try make(
            layers: layers, heads: heads, branches: branches, sides: sides, signs: signs,
            topShare: { top[$0 * sides.count + $1] }, currentMass: { current[$0 * sides.count + $1] })
    }
}
