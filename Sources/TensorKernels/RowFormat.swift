/// How one row of D float32 values (the key or the value of a cache slot) is stored as bytes.
///
/// Every row is self-contained, so rows can be copied as bytes without being read. Rows need no alignment.
public struct RowFormat: Sendable, Hashable {
    private enum Kind: Int32, Sendable {
        case float32
    }
    private let kind: Kind

    /// 32-bit floats, as computed: 4 D bytes.
    public static let float32 = RowFormat(kind: .float32)

    /// The bytes of one row of `width` values.
    public func byteCount(width: Int) -> Int {
        switch kind {
        case .float32: 4 * width
        }
    }

    /// Stores `count` rows `[count, width]` one after the other.
    public func encode(
        _ rows: UnsafePointer<Float>, count: Int, width: Int, into bytes: UnsafeMutableRawPointer
    ) {
        switch kind {
        case .float32: bytes.copyMemory(from: rows, byteCount: count * width * 4)
        }
    }

    /// Reads `count` stored rows back as `[count, width]`.
    public func decode(
        _ bytes: UnsafeRawPointer, count: Int, width: Int, into rows: UnsafeMutablePointer<Float>
    ) {
        switch kind {
        case .float32: UnsafeMutableRawPointer(rows).copyMemory(from: bytes, byteCount: count * width * 4)
        }
    }
}
