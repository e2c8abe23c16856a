/// Floating-point operations that decode one picture, a multiply-add counted as two: the convolutions of the image
/// tokeniser, and its attention if it has any (`models.md` sections 2.7, 3.8 and 5.2). Norms and activations are left out.
public struct DecoderWork: Sendable, Hashable {
    /// The sum; a Double: whole, and exact up to 2^53.
    public private(set) var total = 0.0

    /// Counts a decoder of three residual blocks a level and two in the middle.
    ///
    /// - Parameters:
    ///   - codeChannels: channels of the code map.
    ///   - multipliers: per level, finest first, the channels as multiples of `baseChannels`.
    ///   - height, width: sides of the code map.
    ///   - hasAttention: whether the middle and every block of the coarsest level attend, and the code map passes a
    ///     convolution of its own first, as in VAR's tokeniser.
    public init(
        codeChannels: Int, baseChannels: Int, multipliers: [Int], height: Int, width: Int, hasAttention: Bool = false
    ) {
        var pixels = Double(height) * Double(width)
        var channels = Double(baseChannels) * Double(multipliers.last ?? 1)
        let code = Double(codeChannels)
        if hasAttention {
            convolve(code, code, pixels)
            attend(channels, pixels)
        }
        convolve(code, channels, pixels)
        for _ in 0..<2 { residual(channels, channels, pixels) }
        for level in multipliers.indices.reversed() {
            let outputs = Double(baseChannels) * Double(multipliers[level])
            for _ in 0..<3 {
                residual(channels, outputs, pixels)
                channels = outputs
                if hasAttention, level == multipliers.count - 1 { attend(channels, pixels) }
            }
            guard level > 0 else { continue }
            pixels *= 4
            convolve(channels, channels, pixels)
        }
        convolve(channels, 3, pixels)
    }

    /// A convolution of `side * side` taps.
    private mutating func convolve(_ inputs: Double, _ outputs: Double, _ pixels: Double, side: Double = 3) {
        total += 2 * side * side * inputs * outputs * pixels
    }

    /// Two convolutions, and one of a single tap where the channels change.
    private mutating func residual(_ inputs: Double, _ outputs: Double, _ pixels: Double) {
        convolve(inputs, outputs, pixels)
        convolve(outputs, outputs, pixels)
        if inputs != outputs { convolve(inputs, outputs, pixels, side: 1) }
    }

    /// One head over all pixels, with its projections.
    private mutating func attend(_ channels: Double, _ pixels: Double) {
        convolve(channels, 3 * channels, pixels, side: 1)
        convolve(channels, channels, pixels, side: 1)
        total += 4 * pixels * pixels * channels
    }
}
