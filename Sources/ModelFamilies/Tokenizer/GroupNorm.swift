import TensorKernels

/// Group norm with 32 groups, eps 1e-6, always followed by SiLU in these tokenisers.
struct GroupNorm: Sendable {
    let weight: [Float]
    let bias: [Float]

    func thenSilu(_ x: FeatureMap) -> FeatureMap {
        let y = FeatureMap(height: x.height, width: x.width, channels: x.channels)
        Kernels.groupNorm(
            x.pointer, pixels: x.pixels, channels: x.channels, weight: weight, bias: bias, thenSilu: true,
            into: y.pointer)
        return y
    }
}
