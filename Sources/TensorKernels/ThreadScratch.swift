import CKernels

/// One scratch block per pool thread, so that parallel parts need no allocation of their own.
public final class ThreadScratch: @unchecked Sendable {
    /// One place a thread that the pool can have; a thread reads and writes no other's inside a job.
    private let blocks: UnsafeMutablePointer<FloatBuffer?>
    private static let placeCount = Int(VK_MOST_THREADS)
    /// float32 values in each block.
    public private(set) var countEach: Int

    /// Allocates `countEach` values for every thread of the pool.
    public init(countEach: Int) {
        self.countEach = countEach
        blocks = .allocate(capacity: Self.placeCount)
        blocks.initialize(repeating: nil, count: Self.placeCount)
        allocate()
    }

    deinit {
        blocks.deinitialize(count: Self.placeCount)
        blocks.deallocate()
    }

    /// Bytes held by the blocks of the pool's threads.
    public var byteCount: Int { Parallel.threadCount * countEach * 4 }

    /// Grows the blocks if they are smaller than `countEach`, or if the pool has more threads now. Not inside a job.
    public func reserve(countEach needed: Int) {
        countEach = max(needed, countEach)
        allocate()
    }

    private func allocate() {
        for place in 0..<Parallel.threadCount { _ = block(at: place) }
    }

    private func block(at place: Int) -> FloatBuffer {
        if let block = blocks[place], block.count >= countEach { return block }
        let block = FloatBuffer(count: countEach)
        blocks[place] = block
        return block
    }

    /// The calling thread's block. A thread that joined the pool after ``reserve(countEach:)`` gets its own here.
    public var pointer: UnsafeMutablePointer<Float> { block(at: Int(vk_thread_index())).pointer }
}
