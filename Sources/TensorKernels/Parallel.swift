import CKernels

/// The one thread pool of the process (C, persistent, spinning briefly between jobs).
///
/// Work is divided so that no sum is ever split across threads: results do not depend on the thread count.
public enum Parallel {
    /// Threads that take part, the caller included: `VERNIER_THREADS`, or the number of online cores.
    public static var threadCount: Int { Int(vk_thread_count()) }

    /// Sets the number of threads for later jobs (tests and benchmarks).
    public static func setThreadCount(_ count: Int) { vk_thread_count_set(Int32(count)) }

    /// Runs `body(0) ... body(parts - 1)`, in any order, on the pool; returns when all are done. Allocates nothing.
    ///
    /// `body` must write only to places that belong to its part. A nested call runs serially.
    public static func forEach(parts: Int, _ body: (Int) -> Void) {
        #if arch(x86_64) || arch(arm64)
        runOnPool(parts, body)
        #else
        withoutActuallyEscaping(body) { escaping in
            var box = Box(body: escaping)
            withUnsafeMutablePointer(to: &box) { pointer in
                vk_parallel(
                    parts,
                    { context, part in
                        context?.assumingMemoryBound(to: Box.self).pointee.body(part)
                    }, pointer)
            }
        }
        #endif
    }

    #if !(arch(x86_64) || arch(arm64))
    private struct Box { let body: (Int) -> Void }
    #endif
}

#if arch(x86_64) || arch(arm64)
/// `vk_parallel_closure` in pool.c, which takes a closure as Swift passes one: its code and its captures. C has no type
/// for that which Swift could import, and to hand a closure over as data (`withoutActuallyEscaping`) costs an allocation
/// a call.
@_silgen_name("vk_parallel_closure")
private func runOnPool(_ parts: Int, _ body: (Int) -> Void)
#endif
