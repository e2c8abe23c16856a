import TensorKernels

/// `shortcut(x) + conv2(silu(norm2(conv1(silu(norm1 x)))))` (`models.md` section 2.7).
struct ResidualBlock: Sendable {
    let norm1: GroupNorm
    let conv1: Convolution
    let norm2: GroupNorm
    let conv2: Convolution
    let shortcut: Convolution?

    /// Replaces `map` by the block's output. Beside the map only what the first convolution makes is held, and while
    /// channels change the shortcut's output.
    func callAsFunction(_ map: inout FeatureMap) {
        let inner = conv1(map.normalised(by: norm1), like: map)
        if let shortcut { map = shortcut(map) }
        conv2(inner.normalised(by: norm2), into: map.pointer, adding: true)
    }
}

extension Convolution {
    /// Applies the convolution to a map.
    func callAsFunction(_ x: FeatureMap) -> FeatureMap {
        self(Input(x.pointer, height: x.height, width: x.width), like: x)
    }

    /// Applies the convolution to what is made of a map of the same size.
    func callAsFunction(_ input: Input, like x: FeatureMap) -> FeatureMap {
        let y = FeatureMap(height: x.height, width: x.width, channels: outputs, in: x.arena)
        self(input, into: y.pointer)
        return y
    }

    /// Applies the convolution to a map twice as high and wide, every pixel four times.
    func callAsFunction(doubled x: FeatureMap) -> FeatureMap {
        let y = FeatureMap(height: 2 * x.height, width: 2 * x.width, channels: outputs, in: x.arena)
        self(.doubled(x.pointer, height: x.height, width: x.width), into: y.pointer)
        return y
    }
}

extension FeatureMap {
    /// The map, normalised and through SiLU as a convolution reads it; never held.
    func normalised(by norm: GroupNorm) -> Convolution.Input {
        Convolution.Input(pointer, height: height, width: width, norm: norm.factors(of: self))
    }
}
