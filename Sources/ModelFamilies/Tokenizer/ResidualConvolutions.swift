import ProfileFormat
import TensorKernels

/// VAR's Phi: 3x3 convolutions that refine each scale's codes on the final grid, four shared by all scales
/// (`models.md` section 2.4): `Phi_k(x) = x / 2 + conv_j(x) / 2`.
public struct ResidualConvolutions: Sendable {
    /// Convolutions that the scales share.
    public static let count = 4
    private let convolutions: [Convolution]
    private let indices: [Int]  // of each scale

    init(_ tokenizer: TokenizerWeights, channels: Int, scaleCount: Int) throws {
        convolutions = try (0..<Self.count).map { try tokenizer.convolution(Self.key($0), channels, channels) }
        indices = (0..<scaleCount).map { Self.index(scale: $0, of: scaleCount) }
    }

    static func addRequirements(_ tokenizer: inout TokenizerWeights, channels: Int) {
        for place in 0..<count { tokenizer.requireConvolution(key(place), channels, channels) }
    }

    private static func key(_ place: Int) -> String { "quantize.quant_resi.qresi_ls.\(place)" }

    /// The convolution of a scale: the one of the ticks 1/12, 13/36, 23/36, 11/12 that is nearest to `k / (K - 1)`.
    ///
    /// Exact in whole numbers; of two ticks equally near the larger counts, as floating-point rounding has it in the
    /// official code for every K up to 64.
    public static func index(scale: Int, of scaleCount: Int) -> Int {
        let steps = max(scaleCount - 1, 1)
        func distance(_ tick: Int) -> Int { abs(36 * scale - (3 + 10 * tick) * steps) }
        return (0..<count).reduce(0) { distance($1) <= distance($0) ? $1 : $0 }
    }

    /// Adds `Phi_k(codes)` to `sum`, both `[h, w, channels]` on `grid`, `count` values; `refined` takes what is convolved.
    func add(
        _ codes: UnsafePointer<Float>, grid: ScaleSchedule.Grid, scale: Int, to sum: UnsafeMutablePointer<Float>,
        count: Int, refined: UnsafeMutablePointer<Float>
    ) {
        convolutions[indices[scale]](codes, height: grid.height, width: grid.width, into: refined)
        for index in 0..<count { sum[index] += 0.5 * codes[index] + 0.5 * refined[index] }
    }
}
