import TensorKernels

/// `shortcut(x) + conv2(silu(norm2(conv1(silu(norm1 x)))))` (`models.md` section 2.7).
struct ResidualBlock: Sendable {
    let norm1: GroupNorm
    let conv1: Convolution
    let norm2: GroupNorm
    let conv2: Convolution
    let shortcut: Convolution?

    func callAsFunction(_ x: FeatureMap) -> FeatureMap {
        let inner = conv2(norm2.thenSilu(conv1(norm1.thenSilu(x))))
        let outer = shortcut.map { $0(x) } ?? x
        Kernels.addGated(inner.pointer, outer.pointer, rows: inner.pixels, width: inner.channels)
        return inner
    }
}

extension Convolution {
    /// Applies the convolution to a map.
    func callAsFunction(_ x: FeatureMap) -> FeatureMap {
        let y = FeatureMap(height: x.height, width: x.width, channels: outputs)
        self(x.pointer, height: x.height, width: x.width, into: y.pointer)
        return y
    }
}
