import CHDF5Shim

/// A number that statistics files hold: 64 or 32 bits, little endian in the file.
protocol HDF5Number: BitwiseCopyable, Sendable {
    /// The type in the file.
    static var fileType: hid_t { get }
    /// The same type in memory.
    static var memoryType: hid_t { get }
    /// The type's name in messages.
    static var typeName: String { get }
}

extension Double: HDF5Number {
    static var fileType: hid_t { vernier_h5_float64_le() }
    static var memoryType: hid_t { vernier_h5_native_double() }
    static var typeName: String { "64-bit little-endian floating-point numbers" }
}

extension Float: HDF5Number {
    static var fileType: hid_t { vernier_h5_float32_le() }
    static var memoryType: hid_t { vernier_h5_native_float() }
    static var typeName: String { "32-bit little-endian floating-point numbers" }
}

extension Int: HDF5Number {
    static var fileType: hid_t { vernier_h5_int64_le() }
    static var memoryType: hid_t { vernier_h5_native_int64() }
    static var typeName: String { "64-bit little-endian integers" }
}

extension UInt64: HDF5Number {
    static var fileType: hid_t { vernier_h5_uint64_le() }
    static var memoryType: hid_t { vernier_h5_native_uint64() }
    static var typeName: String { "64-bit little-endian unsigned integers" }
}
