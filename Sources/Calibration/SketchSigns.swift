import TensorKernels

/// The random signs of sketches: each a function of the calibration's seed, the prompt's place in the corpus, what it
/// multiplies and its number r, whatever the batch, the cell or the thread.
///
/// One block of Philox gives 128 signs: counter (row, scale * 64 + r / 128, prompt, domain), bit r % 128, low words
/// first; a set bit is -1. The domains keep the signs of queries and channels apart, and both from the noise of pictures,
/// whose last counter word is 0.
struct SketchSigns: Sendable {
    private static let queryDomain: UInt32 = 1
    private static let channelDomain: UInt32 = 2
    private static let signsPerBlock = 128
    private static let mostBlocks = 64

    private let random: CounterRandom
    /// Signs a row, R.
    let count: Int

    /// Keys the signs with the calibration's seed.
    /// - Precondition: `count` is at most 8192.
    init(seed: UInt64, count: Int) {
        precondition(count <= Self.signsPerBlock * Self.mostBlocks, "count is at most 8192")
        random = CounterRandom(seed: seed)
        self.count = count
    }

    /// Writes the signs `[queries, R]` of a scale's queries, +1 or -1.
    func fillQueries(_ queries: Int, prompt: Int, scale: Int, into signs: UnsafeMutablePointer<Float>) {
        fill(queries, prompt: prompt, group: scale, domain: Self.queryDomain, into: signs)
    }

    /// Writes the signs `[channels, R]` of the residual stream's channels, +1 or -1.
    func fillChannels(_ channels: Int, prompt: Int, into signs: UnsafeMutablePointer<Float>) {
        fill(channels, prompt: prompt, group: 0, domain: Self.channelDomain, into: signs)
    }

    private func fill(
        _ rows: Int, prompt: Int, group: Int, domain: UInt32, into signs: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<rows {
            for first in stride(from: 0, to: count, by: Self.signsPerBlock) {
                let block = random.words(
                    UInt32(truncatingIfNeeded: row),
                    UInt32(truncatingIfNeeded: group * Self.mostBlocks + first / Self.signsPerBlock),
                    UInt32(truncatingIfNeeded: prompt), domain)
                var words = (block.0, block.1, block.2, block.3)
                for sign in first..<min(first + Self.signsPerBlock, count) {
                    signs[row * count + sign] = words.0 & 1 == 0 ? 1 : -1
                    words.0 >>= 1
                    if (sign - first) % 32 == 31 { words = (words.1, words.2, words.3, 0) }
                }
            }
        }
    }
}
