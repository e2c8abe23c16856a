/// A fixed block of 64-byte aligned float32 values: weights, activations, scratch, cache arenas.
///
/// Never resized. Contents are undefined until written unless made with ``zeros(count:)``. A buffer may be shared
/// between threads that touch different parts of it; nothing is synchronised here.
public final class FloatBuffer: @unchecked Sendable {
    /// The first value.
    public let pointer: UnsafeMutablePointer<Float>
    /// The number of values.
    public let count: Int
    /// The bytes held.
    public var byteCount: Int { count * MemoryLayout<Float>.stride }

    /// Allocates `count` values without setting them.
    /// - Precondition: `count` is not negative.
    public init(count: Int) {
        precondition(count >= 0, "count is not negative")
        self.count = count
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
        pointer = raw.bindMemory(to: Float.self, capacity: max(count, 1))
    }

    /// Copies `values`.
    public convenience init(_ values: [Float]) {
        self.init(count: values.count)
        pointer.update(from: values, count: values.count)
    }

    /// Allocates `count` zeros.
    public static func zeros(count: Int) -> FloatBuffer {
        let buffer = FloatBuffer(count: count)
        buffer.pointer.update(repeating: 0, count: count)
        return buffer
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }

    /// The values as an array.
    public var array: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}
