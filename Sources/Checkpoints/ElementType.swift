/// The type of a stored tensor's elements, under the name that the safetensors format uses.
///
/// A struct with static members, so that a type can be added without breaking a `switch`.
public struct ElementType: Hashable, Sendable, CustomStringConvertible {
    /// The name in a safetensors header, for example `BF16`.
    public let name: String
    /// The size of one element in bytes.
    public let byteCount: Int

    private init(_ name: String, _ byteCount: Int) {
        self.name = name
        self.byteCount = byteCount
    }

    /// IEEE 754 double precision.
    public static let f64 = ElementType("F64", 8)
    /// IEEE 754 single precision.
    public static let f32 = ElementType("F32", 4)
    /// IEEE 754 half precision.
    public static let f16 = ElementType("F16", 2)
    /// The upper half of a single-precision number.
    public static let bf16 = ElementType("BF16", 2)
    /// Signed 64-bit integer.
    public static let i64 = ElementType("I64", 8)
    /// Signed 32-bit integer.
    public static let i32 = ElementType("I32", 4)
    /// Signed 16-bit integer.
    public static let i16 = ElementType("I16", 2)
    /// Signed 8-bit integer.
    public static let i8 = ElementType("I8", 1)
    /// Unsigned 8-bit integer.
    public static let u8 = ElementType("U8", 1)
    /// One byte, 0 or 1.
    public static let bool = ElementType("BOOL", 1)

    /// Every type that this library reads.
    public static let all: [ElementType] = [.f64, .f32, .f16, .bf16, .i64, .i32, .i16, .i8, .u8, .bool]

    /// The type of that name; `nil` for a name that is not read.
    public init?(named name: String) {
        guard let known = Self.all.first(where: { $0.name == name }) else { return nil }
        self = known
    }

    /// The type's name.
    public var description: String { name }
}
