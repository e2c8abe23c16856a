/// Rearrangements between pixels and channels of channels-last maps (`models.md` section 1).
public enum ChannelShuffle {
    /// Pixel shuffle with factor 2: `[h, w, 4 d]` -> `[2h, 2w, d]`, `out[2y+i, 2x+j, c] = in[y, x, 4c + 2i + j]`.
    public static func pixelShuffle(
        _ x: UnsafePointer<Float>, height: Int, width: Int, channels: Int, into result: UnsafeMutablePointer<Float>
    ) {
        forEachPair(height: height, width: width, d: channels / 4) { packed, spread in result[spread] = x[packed] }
    }

    /// The inverse: `[2h, 2w, d]` -> `[h, w, 4 d]`; `height` and `width` are those of the result.
    public static func pixelUnshuffle(
        _ x: UnsafePointer<Float>, height: Int, width: Int, channels: Int, into result: UnsafeMutablePointer<Float>
    ) {
        forEachPair(height: height, width: width, d: channels / 4) { packed, spread in result[packed] = x[spread] }
    }

    private static func forEachPair(height: Int, width: Int, d: Int, _ body: (_ packed: Int, _ spread: Int) -> Void) {
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<d {
                    for i in 0..<2 {
                        for j in 0..<2 {
                            body(
                                (y * width + x) * 4 * d + 4 * c + 2 * i + j,
                                ((2 * y + i) * 2 * width + 2 * x + j) * d + c)
                        }
                    }
                }
            }
        }
    }
}
