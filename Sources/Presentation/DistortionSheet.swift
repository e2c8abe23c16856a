import ProfileCompiler

/// Where a profile is predicted to lose fidelity: by scale and layer, and by layer and head.
public struct DistortionSheet: Sendable {
    private let predicted: PredictedDistortion

    /// Prepares a prediction.
    public init(_ predicted: PredictedDistortion) { self.predicted = predicted }

    /// The text, ending without a new line; shades are relative to the darkest cell of each map.
    public func text() -> String {
        let unit = predicted.isInNats ? "nats a picture" : "squared error at the residual stream"
        let total = predicted.total
        let scales = Array(predicted.byScaleAndLayer.enumerated().dropFirst())
        return """
            Predicted cost by layer and scale, \(Self.short(total)) \(unit):
            \(map("scale", scales.map { ("\($0.offset)", $0.element) }, total: total))

            and by head and layer:
            \(map("layer", predicted.byLayerAndHead.enumerated().map { ("\($0.offset)", $0.element) }, total: total))
            """
    }

    private func map(_ heading: String, _ rows: [(label: String, values: [Double])], total: Double) -> String {
        let most = rows.flatMap(\.values).max() ?? 0
        return HeatMap.text(
            heading: heading,
            rows: rows.map { label, values in
                let sum = values.reduce(0, +)
                return HeatMap.Row(
                    label: label, values: values.map { most > 0 ? $0 / most : 0 },
                    note: "\(Self.short(sum)), \(total > 0 ? Int((100 * sum / total).rounded()) : 0) %")
            })
    }

    /// Four significant digits or so.
    private static func short(_ value: Double) -> String {
        value >= 100 ? "\(Int(value.rounded()))" : "\((value * 1000).rounded() / 1000)"
    }
}
