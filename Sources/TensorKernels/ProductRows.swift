import CKernels

/// Rows of activations `[count, width]`, as the packed kernels take them.
struct ProductRows: @unchecked Sendable {
    /// How the rows lie in memory.
    enum Layout: Sendable, Hashable {
        /// One behind the other.
        case asTheyLie
        /// In blocks of up to 12 rows side by side.
        case packed
        /// In such blocks, rounded to bfloat16.
        case rounded

        var kernelValue: Int32 {
            switch self {
            case .asTheyLie: Int32(VK_ROWS_AS_THEY_LIE)
            case .packed: Int32(VK_ROWS_PACKED)
            case .rounded: Int32(VK_ROWS_ROUNDED)
            }
        }
    }
    let pointer: UnsafeRawPointer
    let layout: Layout
    /// Numbers from row to row, of rows as they lie.
    let stride: Int
    let count: Int
    let width: Int

    /// Blocks of rows that can be multiplied apart.
    var blockCount: Int { vk_block_count(count) }

    /// `count` rows of `width` numbers that lie `stride` apart.
    init(_ x: UnsafePointer<Float>, count: Int, width: Int, stride: Int) {
        self.init(pointer: UnsafeRawPointer(x), layout: .asTheyLie, stride: stride, count: count, width: width)
    }

    private init(pointer: UnsafeRawPointer, layout: Layout, stride: Int, count: Int, width: Int) {
        self.pointer = pointer
        self.layout = layout
        self.stride = stride
        self.count = count
        self.width = width
    }

    /// These rows, as they lie, in another layout: in a block of the calling thread's own that the next such call writes to
    /// again.
    func arranged(_ layout: Layout) -> ProductRows {
        precondition(self.layout == .asTheyLie, "rows lie as they were given")
        guard layout != .asTheyLie else { return self }
        nonisolated(unsafe) let target = ThreadBlock.reserve(
            byteCount: Int(vk_packed_rows_bytes(layout.kernelValue, count, width)))
        let blocks = blockCount, each = max(1, (1 << 16) / max(width * vk_block_rows(count), 1))
        Parallel.forEach(parts: (blocks + each - 1) / each) { part in
            vk_pack_rows(
                layout.kernelValue, pointer.assumingMemoryBound(to: Float.self), stride, count, width, part * each,
                min((part + 1) * each, blocks), target)
        }
        return ProductRows(pointer: UnsafeRawPointer(target), layout: layout, stride: 0, count: count, width: width)
    }
}
