import CKernels

/// How one row of D float32 values (the key or the value of a cache slot) is stored as bytes.
///
/// Every row is self-contained, so rows can be copied as bytes without being read. Rows need no alignment. The bytes
/// and what is read back are the same on every instruction set. A row (for ``int4``: a block) with a value that is not
/// finite reads back as NaN throughout, except in ``float32`` and ``bfloat16``, which keep what can be kept.
public struct RowFormat: Sendable, Hashable {
    private let code: Int32

    /// 32-bit floats, as computed: 4 D bytes.
    public static let float32 = RowFormat(code: Int32(VK_FLOAT32))

    /// The upper half of each float32, rounded to nearest, ties to even: 2 D bytes. Relative error at most 2^-8.
    public static let bfloat16 = RowFormat(code: Int32(VK_BFLOAT16))

    /// A float32 scale, the row's largest magnitude divided by 127, and D whole numbers from -127 to 127: D + 4 bytes.
    /// Error at most half the scale, up to float32 rounding.
    public static let int8 = RowFormat(code: Int32(VK_INT8))

    /// 4.5 bits a channel: for every block of 32 channels a bfloat16 scale and 32 codes of four bits, 18 bytes.
    ///
    /// The 16 levels are `scale * u * (a + b u^2)`, `u = -7.5 ... 7.5`: a cubic through the optimal levels for a normal
    /// variable, so that reading needs no table; the scale is fitted by least squares. A block is stored as it is or
    /// turned by a Hadamard matrix (and turned back when read), whichever holds more of it: that spreads what stands out
    /// in one channel, and gathers what all have in common. The scale's sign says which. A last block of fewer channels
    /// takes 2 bytes and half a byte a channel, and is turned only if its length is a power of two.
    ///
    /// Why this one: on the keys and values of Tangram (4 prompts, 8 layers; mean relative squared error in dB) it holds
    /// 22.6 and 22.6. At 4.5 bits too, an absolute-maximum scale a row holds 20.4 and 21.3 with the best of seven
    /// scales; at 5 bits, 16 even steps between the least and the largest value hold 21.6 and 22.2. int8: 44.7, 45.5.
    public static let int4 = RowFormat(code: Int32(VK_INT4))

    private init(code: Int32) { self.code = code }

    /// The format's number in `CKernels`.
    var kernelCode: Int32 { code }

    /// The bytes of one row of `width` values.
    public func byteCount(width: Int) -> Int { vk_row_bytes(code, width) }

    /// Stores `count` rows `[count, width]` one after the other.
    public func encode(
        _ rows: UnsafePointer<Float>, count: Int, width: Int, into bytes: UnsafeMutableRawPointer
    ) { vk_rows_encode(code, rows, count, width, bytes) }

    /// Reads `count` stored rows back as `[count, width]`.
    public func decode(
        _ bytes: UnsafeRawPointer, count: Int, width: Int, into rows: UnsafeMutablePointer<Float>
    ) { vk_rows_decode(code, bytes, count, width, rows) }
}
