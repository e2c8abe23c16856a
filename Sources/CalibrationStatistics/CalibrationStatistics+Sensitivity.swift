/// How much a layer's attention errors matter.
extension CalibrationStatistics {
    /// Whether layers were disturbed for at least one counted prompt.
    public var hasLayerSensitivity: Bool { !responses.isEmpty }

    /// The divergence of a scale's guided distributions, in nats, that a unit of squared error in a layer's attention
    /// output causes there: sums over the probed prompts of divergence and of squared error, divided.
    ///
    /// The unit of error is `norm2(gamma1 * W_o delta)^2` at the residual stream, summed over tokens and branches; the
    /// divergence is summed over choices. So the mean squared error per query of a cell, times n_k, times this
    /// is that cell's part of the picture's divergence at scale k in nats, to first order and for independent errors.
    /// 0 where nothing was disturbed or it moved nothing: at scale 0, or without probed prompts.
    ///
    /// - Precondition: layer and scale are within the layout.
    public func layerSensitivity(layer: Int, scale: Int) -> Double {
        precondition(
            (0..<layout.layers).contains(layer) && (0..<layout.scaleCount).contains(scale),
            "layer and scale are within the layout")
        let index = layer * layout.scaleCount + scale
        let error = responses.reduce(0) { $0 + $1.squaredError[index] }
        return error > 0 ? responses.reduce(0) { $0 + $1.divergence[index] } / error : 0
    }

    /// How many of these prompts are probed: those of the journal among the corpus's first `sensitivityPrompts`.
    package static func probedCount(_ journal: some Sequence<Int>, _ settings: CalibrationSettings) -> Int {
        journal.reduce(0) { $0 + ($1 < settings.sensitivityPrompts ? 1 : 0) }
    }
}
