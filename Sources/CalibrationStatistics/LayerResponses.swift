/// What disturbing the attention of each layer did to one prompt's picture.
///
/// For layer l the picture's own choices (bits, or tokens of VAR) are run through the model again while layer l's
/// attention outputs are disturbed a little at every scale with a history. Legend: L layers, K scales; index `layer * K + scale`.
public struct LayerResponses: Sendable, Equatable {
    /// `[L, K]` Kullback-Leibler divergence of the scale's guided distributions from the undisturbed ones, nats, summed
    /// over the map's choices. It holds the effect of the disturbances of earlier scales, as in real use.
    public var divergence: [Double]
    /// `[L, K]` squared error at the residual stream, `norm2(gamma1 * W_o delta)^2`, summed over the map's tokens and
    /// the branches. Zero at scale 0, which has no history to lose and is not disturbed.
    public var squaredError: [Double]

    /// Zeros for the layers and scales of a layout.
    public init(layout: StatisticsLayout) {
        divergence = Array(repeating: 0, count: layout.layers * layout.scaleCount)
        squaredError = divergence
    }

    /// The given values, whose lengths a check follows.
    package init(divergence: [Double], squaredError: [Double]) {
        self.divergence = divergence
        self.squaredError = squaredError
    }

    /// What forbids the use of these numbers in a layout; empty if nothing does.
    func problems(_ layout: StatisticsLayout) -> [String] {
        let expected = layout.layers * layout.scaleCount
        var problems: [String] = []
        for (name, values) in [("divergences", divergence), ("squared errors", squaredError)] {
            if values.count != expected {
                problems.append("expected \(expected) \(name) of layers, found \(values.count)")
            } else if let index = values.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) {
                problems.append(
                    "expected finite \(name) that are not negative, found \(values[index]) at layer "
                        + "\(index / layout.scaleCount), scale \(index % layout.scaleCount)")
            }
        }
        return problems
    }
}
