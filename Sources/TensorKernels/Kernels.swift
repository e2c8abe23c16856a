import CKernels

/// Row and element kernels (`models.md` section 1). float32 in and out; reductions over 16 lanes in a fixed tree, the
/// same bits on every instruction set. Legend: C width of a row.
public enum Kernels {
    /// The instruction set that is used: `plain`, `avx2` or `avx512`; `VERNIER_KERNELS` in the environment lowers it.
    public static var instructionSet: String { ["plain", "avx2", "avx512"][Int(vk_isa())] }

    /// `y = (x - mean) / sqrt(var + eps) * weight + bias` per row of `C` values; population variance.
    public static func layerNorm(
        _ x: UnsafePointer<Float>, rows: Int, width: Int, epsilon: Float = 1e-6, weight: UnsafePointer<Float>? = nil,
        bias: UnsafePointer<Float>? = nil, into y: UnsafeMutablePointer<Float>
    ) { vk_layer_norm(x, rows, width, epsilon, weight, bias, y) }

    /// Adaptive LayerNorm: `y = LN(x) * (1 + scale) + shift`.
    public static func layerNormModulated(
        _ x: UnsafePointer<Float>, rows: Int, width: Int, epsilon: Float = 1e-6, scale: UnsafePointer<Float>,
        shift: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
    ) { vk_layer_norm_modulated(x, rows, width, epsilon, scale, shift, y) }

    /// `y = x / sqrt(mean(x^2) + eps) * weight` per row.
    public static func rmsNorm(
        _ x: UnsafePointer<Float>, rows: Int, width: Int, epsilon: Float = 1e-6, weight: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>
    ) { vk_rms_norm(x, rows, width, epsilon, weight, y) }

    /// GELU in its tanh form, in place.
    public static func geluTanh(_ x: UnsafeMutablePointer<Float>, count: Int) { vk_gelu_tanh(x, count) }

    /// `y = x * sigmoid(x)`; `y` may be `x`.
    public static func silu(_ x: UnsafePointer<Float>, count: Int, into y: UnsafeMutablePointer<Float>) {
        vk_silu(x, count, y)
    }

    /// Softmax of each row, in place; entries of -infinity become exactly 0.
    public static func softmaxRows(_ x: UnsafeMutablePointer<Float>, rows: Int, width: Int) {
        vk_softmax_rows(x, rows, width)
    }

    /// `x += gamma * y` per row; without `gamma`, `x += y`.
    public static func addGated(
        _ x: UnsafeMutablePointer<Float>, _ y: UnsafePointer<Float>, gamma: UnsafePointer<Float>? = nil, rows: Int,
        width: Int
    ) { vk_add_gated(x, y, gamma, rows, width) }

    /// `x *= y`, element by element.
    public static func multiply(_ x: UnsafeMutablePointer<Float>, _ y: UnsafePointer<Float>, count: Int) {
        vk_multiply(x, y, count)
    }

    /// `x = x / max(norm2(x), 1e-12) * factor` for rows of `width` values, in place.
    public static func l2Normalise(
        _ x: UnsafeMutablePointer<Float>, rows: Int, width: Int, stride: Int? = nil, factor: Float = 1
    ) { vk_l2_normalise(x, rows, width, stride ?? width, factor) }

    /// Rotates adjacent pairs of each row by that row's angles; tables `[rows, width / 2]`.
    public static func rope(
        _ x: UnsafeMutablePointer<Float>, rows: Int, width: Int, cosines: UnsafePointer<Float>,
        sines: UnsafePointer<Float>
    ) { vk_rope(x, rows, width, cosines, sines) }

    /// Random projection of the columns of `x` `[rows, count]` with signs `[rows, signCount]` of +1 and -1:
    /// `sums[j, r] += sum_i x[i, j] * signs[i, r]`, rows in ascending order; `sums` is `[count, signCount]`.
    public static func addSigned(
        _ x: UnsafePointer<Float>, rows: Int, count: Int, stride: Int? = nil, signs: UnsafePointer<Float>,
        signCount: Int, to sums: UnsafeMutablePointer<Float>
    ) { vk_add_signed(x, stride ?? count, rows, count, signs, signCount, sums) }

    /// `sums[slots[r]] += coefficients[r] * x[r]` for rows `r` of `width` values in ascending order; a negative slot is
    /// skipped. `x` is `[rows, width]`, `sums` `[slots, width]`.
    public static func addRows(
        _ x: UnsafePointer<Float>, rows: Int, width: Int, slots: UnsafePointer<Int32>,
        coefficients: UnsafePointer<Float>, to sums: UnsafeMutablePointer<Float>
    ) { vk_add_rows(x, rows, width, slots, coefficients, sums) }

    /// `sums[i] += rows[r][i]` for rows of `count` numbers that lie apart, in their order.
    public static func addEach(_ rows: [UnsafePointer<Float>?], count: Int, to sums: UnsafeMutablePointer<Float>) {
        vk_add_each(rows, rows.count, count, sums)
    }

    /// `gram[i, j] += sum_r (weights[r] * x[r, i]) * x[r, j]` in float64, rows in ascending order, for rows of `width` values
    /// at `stride`; `gram` is `[width, width]`, no `weights` are 1 everywhere.
    public static func addGram(
        _ x: UnsafePointer<Float>, rows: Int, width: Int, stride: Int, weights: UnsafePointer<Double>? = nil,
        to gram: UnsafeMutablePointer<Double>
    ) { vk_add_gram(x, stride, rows, width, weights, gram) }

    /// `forms[r] = z^T matrix z` in float64 for the rows `z = x[r]`, or `x[r] - y[r]`, of `width` values; both sums run in
    /// ascending order. `matrix` is `[width, width]`.
    /// - Parameter room: ``quadraticFormRoom(width:)`` numbers that are overwritten.
    public static func quadraticForms(
        _ x: UnsafePointer<Float>, minus y: UnsafePointer<Float>? = nil, rows: Int, width: Int,
        matrix: UnsafePointer<Double>, into forms: UnsafeMutablePointer<Double>, room: UnsafeMutablePointer<Double>
    ) { vk_quadratic_forms(x, y, rows, width, matrix, forms, room) }

    /// Numbers that ``quadraticForms(_:minus:rows:width:matrix:into:room:)`` works in: eight rows.
    public static func quadraticFormRoom(width: Int) -> Int { 8 * width }

    /// Whether all values are finite.
    public static func allFinite(_ x: UnsafePointer<Float>, count: Int) -> Bool { vk_all_finite(x, count) != 0 }
}
