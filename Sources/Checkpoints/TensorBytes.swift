/// Bytes of a tensor that lives in memory rather than in a mapped file, aligned for every element type.
final class TensorBytes: @unchecked Sendable {  // written only while it is made
    let bytes: UnsafeRawBufferPointer

    /// Allocates `byteCount` bytes, all of which `fill` must write.
    init(byteCount: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
        fill(target)
        bytes = UnsafeRawBufferPointer(target)
    }

    convenience init(copying source: UnsafeRawBufferPointer) {
        self.init(byteCount: source.count) { $0.copyMemory(from: source) }
    }

    deinit { bytes.deallocate() }
}
