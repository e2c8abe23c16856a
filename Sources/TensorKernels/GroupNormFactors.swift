import CKernels

/// A group norm over one map whose statistics are known: `y = x * scale + shift` per channel.
///
/// Source: Wu and He 2018 (arXiv 1803.08494). Statistics are in Float64, in two passes, summed by blocks of pixels in
/// ascending order, whatever the thread count.
public struct GroupNormFactors: Sendable {
    /// Channels C.
    public let channels: Int
    /// Scales `[C]`, then shifts `[C]`.
    private let factors: FloatBuffer

    /// `[C]`.
    public var scale: UnsafePointer<Float> { UnsafePointer(factors.pointer) }
    /// `[C]`.
    public var shift: UnsafePointer<Float> { UnsafePointer(factors.pointer + channels) }

    /// Pixels whose sums are one part of the work, and one summand of the statistics.
    private static let pixelsPerBlock = 4096

    /// Measures `x` `[pixels, channels]` and combines what it finds with `weight` and `bias` `[channels]`.
    /// - Precondition: `groups` divides the channels; there are pixels.
    public init(
        _ x: UnsafePointer<Float>, pixels: Int, groups: Int = 32, epsilon: Float = 1e-6, weight: [Float],
        bias: [Float]
    ) {
        channels = weight.count
        precondition(bias.count == channels && channels % groups == 0 && pixels > 0, "groups divide the channels")
        let each = channels / groups, count = Double(pixels) * Double(each)
        let mean = Self.sums(x, pixels: pixels, channels: channels, groups: groups, mean: nil).map { $0 / count }
        let squares = Self.sums(x, pixels: pixels, channels: channels, groups: groups, mean: mean)
        factors = FloatBuffer(count: 2 * channels)
        for channel in 0..<channels {
            let group = channel / each
            let inverse = 1 / (squares[group] / count + Double(epsilon)).squareRoot()
            factors.pointer[channel] = Float(inverse) * weight[channel]
            factors.pointer[channels + channel] = bias[channel] - Float(mean[group]) * factors.pointer[channel]
        }
    }

    private static func sums(
        _ x: UnsafePointer<Float>, pixels: Int, channels: Int, groups: Int, mean: [Double]?
    ) -> [Double] {
        let blocks = (pixels + pixelsPerBlock - 1) / pixelsPerBlock
        var parts = [Double](repeating: 0, count: blocks * groups)
        parts.withUnsafeMutableBufferPointer { parts in
            nonisolated(unsafe) let (x, parts) = (x, parts)
            Parallel.forEach(parts: blocks) { block in
                let first = block * pixelsPerBlock
                vk_group_sums(
                    x + first * channels, min(pixelsPerBlock, pixels - first), channels, groups, mean,
                    parts.baseAddress.map { $0 + block * groups })
            }
        }
        return (0..<groups).map { group in (0..<blocks).reduce(0) { $0 + parts[$1 * groups + group] } }
    }

    /// Writes `pixels` pixels of `x` to `y`, normalised, then through SiLU if wanted.
    public func apply(
        _ x: UnsafePointer<Float>, pixels: Int, thenSilu: Bool, into y: UnsafeMutablePointer<Float>
    ) { vk_scale_shift(x, pixels, channels, scale, shift, thenSilu ? 1 : 0, y) }
}
