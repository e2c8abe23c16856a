import TensorKernels

/// Attention of every position to every other, one head: `x + proj_out(v attended)`, queries, keys and values from
/// `qkv(norm x)`, softmax scale `1 / sqrt(C)` (`models.md` section 2.7).
struct AttentionBlock: Sendable {
    let norm: GroupNorm
    let qkv: Convolution  // 1x1, [3C, C]
    let projection: Convolution  // 1x1, [C, C]

    /// Queries that one thread takes at a time, a multiple of the kernel's tile of 12; the result does not depend on it.
    private static let queriesPerPart = 96

    func callAsFunction(_ x: FeatureMap) -> FeatureMap {
        let c = x.channels, pixels = x.pixels
        let split = qkv(norm(x))  // [pixels, 3C]
        let keys = FeatureMap(height: x.height, width: x.width, channels: c, in: x.arena)
        let values = FeatureMap(height: x.height, width: x.width, channels: c, in: x.arena)
        let factor = 1 / Float(c).squareRoot()
        for pixel in 0..<pixels {
            let row = split.pointer + pixel * 3 * c
            for i in 0..<c { row[i] *= factor }
            (keys.pointer + pixel * c).update(from: row + c, count: c)
            (values.pointer + pixel * c).update(from: row + 2 * c, count: c)
        }
        let attended = FeatureMap(height: x.height, width: x.width, channels: c, in: x.arena)
        let scratch = x.arena.attentionScratch
        scratch.reserve(countEach: Attention.scratchCount(headWidth: c, historyCount: 0, currentCount: pixels))
        Parallel.forEach(parts: (pixels + Self.queriesPerPart - 1) / Self.queriesPerPart) { part in
            let first = part * Self.queriesPerPart
            var attention = Attention(
                queries: split.pointer + first * 3 * c, queryStride: 3 * c,
                queryCount: min(Self.queriesPerPart, pixels - first), headWidth: c,
                output: attended.pointer + first * c,
                outputStride: c)
            attention.currentKeys = UnsafePointer(keys.pointer)
            attention.currentValues = UnsafePointer(values.pointer)
            attention.currentCount = pixels
            attention.run(scratch: scratch.pointer)
        }
        let result = projection(attended)
        Kernels.addGated(result.pointer, x.pointer, rows: pixels, width: c)
        return result
    }
}
