import TensorKernels

/// Where a block's AdaLN vectors `[6, C]` come from.
enum BlockModulation: Sendable {
    /// The stack's shared layer, plus this offset `[6C]`.
    case shared(offset: [Float])
    /// The block's own layer `[6C, C]`.
    case own(LinearLayer)
}
