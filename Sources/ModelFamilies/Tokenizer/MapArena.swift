import TensorKernels

/// Memory for a decoder's maps, kept from picture to picture: fresh memory costs more than most layers. Not for use by
/// several threads at once.
public final class MapArena {
    /// What is kept while no picture is being decoded, at most; what exceeds it is given back to the system.
    private static let mostIdleBytes = 256 << 20
    private var idle: [FloatBuffer] = []  // ascending in size
    /// What attention works in.
    let attentionScratch = ThreadScratch(countEach: 0)

    /// An empty arena.
    public init() {}

    /// Bytes kept at the moment for maps to come.
    var idleBytes: Int { idle.reduce(0) { $0 + $1.byteCount } }

    /// Room for `count` values: the smallest idle block that has it, or a new one.
    func take(_ count: Int) -> FloatBuffer {
        guard let place = idle.firstIndex(where: { $0.count >= count }) else { return FloatBuffer(count: count) }
        return idle.remove(at: place)
    }

    /// Takes a block back.
    func giveBack(_ block: FloatBuffer) {
        idle.insert(block, at: idle.firstIndex { $0.count > block.count } ?? idle.endIndex)
    }

    /// Ends a picture: lets go of the largest blocks that exceed what may be kept.
    func settle() {
        while idleBytes > Self.mostIdleBytes { idle.removeLast() }
    }
}
