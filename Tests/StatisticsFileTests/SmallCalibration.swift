import CalibrationStatistics
import ProfileFormat
import TestSupport
import VernierCore

/// Statistics of a made-up model, small enough for exhaustive checks.
enum SmallCalibration {
    static let shapeDigest = String(repeating: "ab", count: 32)
    static let weightsDigest = String(repeating: "0c", count: 32)
    static let corpusDigest = String(repeating: "7e", count: 32)

    static func identity(layers: Int = 3, family: String = "infinity") throws -> ModelIdentity {
        try ModelIdentity(
            family: family, name: "Größe-1", branches: 2, layers: layers, heads: 2, headWidth: 8,
            shapeDigest: shapeDigest, weightsDigest: weightsDigest)
    }

    static func schedule(_ sides: [(Int, Int)] = [(1, 1), (1, 2), (2, 2), (3, 3)]) throws -> ScaleSchedule {
        try ScaleSchedule(
            grids: sides.map { ScaleSchedule.Grid(height: $0.0, width: $0.1) },
            ropeGrid: ScaleSchedule.Grid(height: 8, width: 8))
    }

    static let formats: [StorageFormat] = [.bfloat16, .int8, .int4]

    static func settings(
        topCounts: [Int] = [1, 4, 16], signs: Int = 0, halves: Bool = false, probed: Int = 0,
        formats: [StorageFormat] = SmallCalibration.formats,
        seed: UInt64 = .max, arithmetic: Arithmetic = .float32
    ) throws -> CalibrationSettings {
        try CalibrationSettings(
            topCounts: topCounts, signCount: signs, keepsHalves: halves, sensitivityPrompts: probed,
            storageFormats: probed > 0 ? formats : [], seed: seed, guidance: 3,
            temperature: 0.5, topP: 0.97, topK: 900, arithmetic: arithmetic,
            toolVersion: "0.1.0")
    }

    static func empty(
        prompts: Int = 6, signs: Int = 0, halves: Bool = false, probed: Int = 0,
        formats: [StorageFormat] = SmallCalibration.formats, arithmetic: Arithmetic = .float32
    ) throws -> CalibrationStatistics {
        try CalibrationStatistics(
            identity: identity(), schedule: schedule(),
            settings: settings(
                signs: signs, halves: halves, probed: probed, formats: formats, arithmetic: arithmetic),
            corpus: CorpusReference(digest: corpusDigest, promptCount: prompts))
    }

    /// The digest that the tests give prompt `index`.
    static func promptDigest(_ index: Int) -> String {
        let text = String(index, radix: 16)
        return String(repeating: "0", count: 64 - text.count) + text
    }

    /// One prompt's statistics: random attention with one query per cell, consistent in itself.
    static func prompt(_ index: Int, _ layout: StatisticsLayout) -> PromptStatistics {
        var random = SplitMix64(seed: UInt64(truncatingIfNeeded: index) &* 977 &+ 5)
        var prompt = PromptStatistics(layout: layout)
        let schedule = layout.schedule
        for branch in 0..<layout.branches {
            for layer in 0..<layout.layers {
                for head in 0..<layout.heads {
                    for scale in 0..<layout.scaleCount {
                        let history = schedule.historyTokens(scale)
                        let columns = history + schedule.tokenCount(scale)
                        let raw = (0..<columns).map { _ in Double(random.float(in: 0.001...1)) }
                        let total = raw.reduce(0, +)
                        let attention = raw.map { $0 / total }
                        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
                        prompt.currentMass[cell] = attention[history...].reduce(0, +)
                        prompt.rowEntropy[cell] = attention.reduce(0) { $0 + $1 * (2 - $1) }
                        let mean = 1 / Double(columns)
                        prompt.columnVariance[cell] =
                            attention.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
                        let sorted = attention[..<history].sorted(by: >)
                        for (index, count) in layout.topCounts.enumerated() {
                            prompt.topMass[cell * layout.topCounts.count + index] =
                                sorted.prefix(count).reduce(0, +)
                        }
                        for source in 0..<scale {
                            let range = schedule.historyTokens(source)..<schedule.historyTokens(source + 1)
                            prompt.sourceMass[cell * layout.scaleCount + source] = attention[range].reduce(0, +)
                        }
                        let positions = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
                        for (position, index) in positions.enumerated() {
                            prompt.positionMass[index] = attention[position]
                            prompt.positionWeight[index] = attention[position] * Double(random.float(in: 0...9))
                        }
                    }
                }
            }
        }
        return prompt
    }

    /// One prompt's sketches: random numbers; nil without signs.
    static func sketches(_ index: Int, _ layout: StatisticsLayout) -> AttentionSketches? {
        guard layout.signCount > 0 else { return nil }
        var random = SplitMix64(seed: UInt64(truncatingIfNeeded: index) &+ 71)
        var sketches = AttentionSketches(layout: layout, promptCount: 1)
        sketches.attention = random.floats(layout.valueCount(of: .attention))
        sketches.key = random.floats(layout.valueCount(of: .key), in: -50...50)
        sketches.value = random.floats(layout.valueCount(of: .value), in: -5...5)
        return sketches
    }

    /// One prompt's layer responses: random numbers; nil for a prompt that is not to be probed.
    static func responses(_ index: Int, _ statistics: CalibrationStatistics) -> LayerResponses? {
        guard index < statistics.settings.sensitivityPrompts else { return nil }
        var random = SplitMix64(seed: UInt64(truncatingIfNeeded: index) &+ 33)
        var responses = LayerResponses(layout: statistics.layout)
        for index in responses.divergence.indices where index % statistics.layout.scaleCount > 0 {
            responses.divergence[index] = Double(random.float(in: 0...1))
            responses.squaredError[index] = Double(random.float(in: 1...9))
        }
        return responses
    }

    /// One prompt's storage errors: random numbers; nil for a prompt that is not to be probed.
    static func storageErrors(_ index: Int, _ statistics: CalibrationStatistics) -> StorageErrors? {
        let settings = statistics.settings, layout = statistics.layout
        guard index < settings.sensitivityPrompts, !settings.storageFormats.isEmpty else { return nil }
        var random = SplitMix64(seed: UInt64(truncatingIfNeeded: index) &+ 55)
        var errors = StorageErrors(layout: layout, formatCount: settings.storageFormats.count)
        for format in errors.values.indices {
            for cell in 0..<layout.cellCount where cell % layout.scaleCount > 0 {
                errors.values[format][cell] = Double(random.float(in: 0...1))
            }
        }
        return errors
    }

    /// Statistics of the given prompts of a corpus, added in order.
    static func counted(
        _ indices: some Sequence<Int>, of prompts: Int = 6, signs: Int = 0, halves: Bool = false, probed: Int = 0,
        formats: [StorageFormat] = SmallCalibration.formats, arithmetic: Arithmetic = .float32
    ) throws -> CalibrationStatistics {
        var statistics = try empty(
            prompts: prompts, signs: signs, halves: halves, probed: probed, formats: formats, arithmetic: arithmetic)
        for index in indices { try add(index, to: &statistics) }
        return statistics
    }

    static func add(_ index: Int, to statistics: inout CalibrationStatistics) throws {
        try statistics.add(
            prompt(index, statistics.layout), corpusIndex: index, promptDigest: promptDigest(index),
            sketches: sketches(index, statistics.layout), responses: responses(index, statistics),
            storageErrors: storageErrors(index, statistics))
    }
}

/// The message of the error that `body` throws; an empty text if it throws none.
func message(_ body: () throws -> some Any) -> String {
    do {
        _ = try body()
        return ""
    } catch {
        return "\(error)"
    }
}
