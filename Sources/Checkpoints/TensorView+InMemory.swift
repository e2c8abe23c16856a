extension TensorView {
    /// A single-precision tensor in memory.
    ///
    /// - Precondition: `values` holds exactly the elements of `shape`.
    public init(name: String, shape: [Int], float32 values: [Float]) {
        self.init(name: name, elementType: .f32, shape: shape, elements: values.map { $0.bitPattern.littleEndian })
    }

    /// A tensor of 32-bit integers in memory.
    ///
    /// - Precondition: `values` holds exactly the elements of `shape`.
    public init(name: String, shape: [Int], int32 values: [Int32]) {
        self.init(name: name, elementType: .i32, shape: shape, elements: values.map(\.littleEndian))
    }

    /// A tensor of bytes in memory, of any element type.
    ///
    /// - Precondition: `bytes` holds exactly the elements of `shape`.
    public init(name: String, elementType: ElementType = .u8, shape: [Int], bytes: [UInt8]) {
        self.init(name: name, elementType: elementType, shape: shape, elements: bytes)
    }

    private init<Element: BitwiseCopyable>(
        name: String, elementType: ElementType, shape: [Int], elements: [Element]
    ) {
        let store = elements.withUnsafeBytes { TensorBytes(copying: $0) }
        self.init(
            name: name, source: "memory", elementType: elementType, shape: shape, bytes: store.bytes, owner: store)
    }
}
