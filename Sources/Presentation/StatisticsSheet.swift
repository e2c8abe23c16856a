import CalibrationStatistics
import ProfileFormat
import VernierCore

/// A statistics file on one screen: what was measured, and a heat map of the attention on the history.
public struct StatisticsSheet: Sendable {
    private let statistics: CalibrationStatistics

    /// Prepares statistics.
    public init(_ statistics: CalibrationStatistics) { self.statistics = statistics }

    /// The text, ending without a new line.
    public func text() -> String {
        let layout = statistics.layout, settings = statistics.settings
        let rows = (1..<max(layout.scaleCount, 1)).map { scale in
            let shares = (0..<layout.layers).map { 1 - currentMass(layer: $0, scale: scale) }
            let mean = shares.reduce(0, +) / Double(layout.layers)
            return HeatMap.Row(
                label: "\(scale)", values: shares,
                note: "\((mean * 1000).rounded() / 10) % on \(layout.schedule.historyTokens(scale))")
        }
        return """
            statistics \(statistics.promptCount) of \(statistics.corpus.promptCount) prompts\
            \(statistics.isComplete ? "" : " (incomplete: run calibrate --resume)"), corpus \
            \(statistics.corpus.digest.prefix(12))...
            model      \(statistics.identity.name) (\(statistics.identity.family)), \(layout.layers) layers x \
            \(layout.heads) heads, weights \((statistics.identity.weightsDigest ?? "").prefix(12))...
            settings   guidance \(settings.guidance), temperature \(settings.temperature), top-p \(settings.topP), \
            seed \(settings.seed), top counts \(settings.topCounts)\
            \(settings.arithmetic == .float32 ? "" : ", \(settings.arithmetic.rawValue) arithmetic")

            Attention on the history, by layer (mean over branches and heads):
            \(HeatMap.text(heading: "scale", rows: rows))
            """
    }

    /// The summary as JSON: identity, settings, and the mean current mass by scale and layer.
    public func json() -> JSONValue {
        let layout = statistics.layout, settings = statistics.settings
        return [
            "format": "vernier-statistics-summary", "version": 1, "model": statistics.identity.jsonValue,
            "prompts": .integer(Int64(statistics.promptCount)), "complete": .bool(statistics.isComplete),
            "corpusDigest": .string(statistics.corpus.digest), "guidance": .number(settings.guidance),
            "temperature": .number(settings.temperature), "topP": .number(settings.topP),
            "seed": .string("\(settings.seed)"), "arithmetic": .string(settings.arithmetic.rawValue),
            "currentMassByScaleAndLayer": .array(
                (0..<layout.scaleCount).map { scale in
                    .array((0..<layout.layers).map { .number(currentMass(layer: $0, scale: scale)) })
                }),
        ]
    }

    private func currentMass(layer: Int, scale: Int) -> Double {
        let layout = statistics.layout
        var sum = 0.0
        for branch in 0..<layout.branches {
            for head in 0..<layout.heads {
                sum += statistics.meanCurrentMass(branch: branch, layer: layer, head: head, scale: scale)
            }
        }
        return sum / Double(layout.branches * layout.heads)
    }
}
