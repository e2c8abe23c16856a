import CKernels

/// One scratch block per pool thread, so that parallel parts need no allocation of their own.
public final class ThreadScratch: @unchecked Sendable {
    private var blocks: [FloatBuffer]
    /// float32 values in each block.
    public private(set) var countEach: Int

    /// Allocates `countEach` values for every thread of the pool.
    public init(countEach: Int) {
        self.countEach = countEach
        blocks = (0..<Parallel.threadCount).map { _ in FloatBuffer(count: countEach) }
    }

    /// Bytes held by all blocks.
    public var byteCount: Int { blocks.reduce(0) { $0 + $1.byteCount } }

    /// Grows the blocks if they are smaller than `countEach`, or if the pool has more threads now. Not inside a job.
    public func reserve(countEach needed: Int) {
        if needed <= countEach, blocks.count >= Parallel.threadCount { return }
        countEach = max(needed, countEach)
        blocks = (0..<Parallel.threadCount).map { _ in FloatBuffer(count: countEach) }
    }

    /// The calling thread's block.
    public var pointer: UnsafeMutablePointer<Float> { blocks[Int(vk_thread_index())].pointer }
}
