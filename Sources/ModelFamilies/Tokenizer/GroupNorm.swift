import TensorKernels

/// Group norm with 32 groups, eps 1e-6.
struct GroupNorm: Sendable {
    let weight: [Float]
    let bias: [Float]

    /// What the norm does to `x`, once its statistics are known.
    func factors(of x: FeatureMap) -> GroupNormFactors {
        GroupNormFactors(x.pointer, pixels: x.pixels, weight: weight, bias: bias)
    }

    /// The normalised map.
    func callAsFunction(_ x: FeatureMap) -> FeatureMap {
        let y = FeatureMap(height: x.height, width: x.width, channels: x.channels, in: x.arena)
        factors(of: x).apply(x.pointer, pixels: x.pixels, thenSilu: false, into: y.pointer)
        return y
    }
}
