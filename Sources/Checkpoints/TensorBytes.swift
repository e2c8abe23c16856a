/// Bytes of a tensor that lives in memory rather than in a mapped file, aligned for every element type.
final class TensorBytes: @unchecked Sendable {  // written only while it is made
    let bytes: UnsafeRawBufferPointer

    init(copying source: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 64)
        copy.copyMemory(from: source)
        bytes = UnsafeRawBufferPointer(copy)
    }

    deinit { bytes.deallocate() }
}
