import CKernels

/// Rows of activations, rounded to bfloat16 for one product.
struct RoundedRows {
    /// `[rows, stride]`.
    let pointer: UnsafeMutablePointer<UInt16>
    /// Numbers from row to row: the width, made even with a zero.
    let stride: Int
    private let storage: Storage

    private final class Storage {
        let pointer: UnsafeMutablePointer<UInt16>
        init(count: Int) { pointer = .allocate(capacity: max(count, 1)) }
        deinit { pointer.deallocate() }
    }

    /// Rounds `rows` rows of `width` numbers that lie `stride` apart.
    init(_ x: UnsafePointer<Float>, rows: Int, width: Int, stride: Int) {
        self.stride = vk_rounded_stride(width)
        storage = Storage(count: rows * self.stride)
        pointer = storage.pointer
        let each = max(1, (1 << 16) / max(width, 1)), target = pointer, step = self.stride
        nonisolated(unsafe) let (from, to) = (x, target)
        Parallel.forEach(parts: (rows + each - 1) / each) { part in
            let first = part * each
            vk_round_rows(from + first * stride, stride, min(each, rows - first), width, to + first * step)
        }
    }
}
