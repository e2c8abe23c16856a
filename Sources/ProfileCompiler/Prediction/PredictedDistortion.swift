/// What a profile's plan is expected to cost, worked out from the statistics without running the model; see
/// ``predictedDistortion(of:statistics:)``.
public struct PredictedDistortion: Sendable, Hashable {
    /// `[scale][layer]`, all branches and heads together; the unit is said by ``isInNats``.
    public let byScaleAndLayer: [[Double]]
    /// `[layer][head]`, all scales and branches together: a layer's cost at a scale, shared out as its heads err.
    public let byLayerAndHead: [[Double]]
    /// Whether layers' sensitivities were measured. Then the numbers are nats: the divergence of the guided
    /// distributions of one picture, summed over choices. Else they are squared errors at the
    /// residual stream: means over queries, summed over the branches.
    public let isInNats: Bool

    /// One number a scale.
    public var byScale: [Double] { byScaleAndLayer.map { $0.reduce(0, +) } }
    /// One number a layer.
    public var byLayer: [Double] {
        (byScaleAndLayer.first ?? []).indices.map { layer in byScaleAndLayer.reduce(0) { $0 + $1[layer] } }
    }
    /// Everything.
    public var total: Double { byScale.reduce(0, +) }
}
