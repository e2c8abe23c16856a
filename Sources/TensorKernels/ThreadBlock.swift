import CKernels

/// A block of memory of the calling thread's own, kept from use to use so that hot paths allocate nothing.
public enum ThreadBlock {
    /// Bytes of the blocks of all threads of this process.
    public static var totalBytes: Int { vk_thread_block_bytes() }

    /// At least `byteCount` bytes, 64-byte aligned, contents undefined: the same block at every call on a thread, grown
    /// when need be, freed with the thread. So nothing that is called while it is in use may ask for it again.
    static func reserve(byteCount: Int) -> UnsafeMutableRawPointer {
        guard let block = vk_thread_block(max(byteCount, 1)) else {
            fatalError("no memory for \(byteCount) bytes of scratch")
        }
        return block
    }
}
