import TensorKernels

/// Group norm with 32 groups, eps 1e-6.
struct GroupNorm: Sendable {
    let weight: [Float]
    let bias: [Float]

    func callAsFunction(_ x: FeatureMap) -> FeatureMap { apply(x, thenSilu: false) }

    func thenSilu(_ x: FeatureMap) -> FeatureMap { apply(x, thenSilu: true) }

    private func apply(_ x: FeatureMap, thenSilu: Bool) -> FeatureMap {
        let y = FeatureMap(height: x.height, width: x.width, channels: x.channels)
        Kernels.groupNorm(
            x.pointer, pixels: x.pixels, channels: x.channels, weight: weight, bias: bias, thenSilu: thenSilu,
            into: y.pointer)
        return y
    }
}
