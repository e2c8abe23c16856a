import VernierCore

extension TensorView {
    /// The tensor's numbers in single precision, row-major; F32, F16 and BF16 are read, all exactly.
    ///
    /// Throws ``VernierError/Code/mismatch`` if `shape` is given and differs or the type is another one, and
    /// ``VernierError/Code/nonFinite`` for a NaN or an infinity.
    public func float32(shape: [Int]? = nil) throws -> [Float] {
        try check(shape: shape)
        try checkIsFloat()
        return try [Float](unsafeUninitializedCapacity: elementCount) { buffer, initializedCount in
            try copyFloat32(into: UnsafeMutableBufferPointer(rebasing: buffer[..<elementCount]))
            initializedCount = elementCount
        }
    }

    /// Writes the tensor's numbers in single precision to `target`, which need not be initialised.
    ///
    /// Throws as ``float32(shape:)`` does, and ``VernierError/Code/invalidArgument`` if `target` has not exactly
    /// ``elementCount`` places. After an error the content of `target` is undefined.
    public func copyFloat32(into target: UnsafeMutableBufferPointer<Float>) throws {
        try checkIsFloat()
        guard target.count == elementCount else {
            throw VernierError(
                .invalidArgument, at: place, expected: "room for \(elementCount) numbers", found: "\(target.count)")
        }
        try copyFloat32(elements: 0..<elementCount, into: target)
        release()
    }

    /// Writes some of the numbers; `target` has exactly that many places. Throws as ``float32(shape:)`` does.
    func copyFloat32(elements: Range<Int>, into target: UnsafeMutableBufferPointer<Float>) throws {
        try checkIsFloat()
        let size = elementType.byteCount
        let isFinite = withBytes { bytes in
            let part = UnsafeRawBufferPointer(rebasing: bytes[elements.lowerBound * size..<elements.upperBound * size])
            return switch elementType {
            case .f16: Widening.f16(part, into: target)
            case .bf16: Widening.bf16(part, into: target)
            default: Widening.f32(part, into: target)
            }
        }
        guard isFinite else { throw nonFinite(in: target, from: elements.lowerBound) }
    }

    /// The tensor's numbers as 32-bit integers, row-major; every integer type is read.
    ///
    /// Throws ``VernierError/Code/mismatch`` if `shape` is given and differs, if the type is no integer type, or if a
    /// 64-bit number does not fit.
    public func int32(shape: [Int]? = nil) throws -> [Int32] {
        try check(shape: shape)
        switch elementType {
        case .i64: return try integers(as: Int64.self)
        case .i32: return try integers(as: Int32.self)
        case .i16: return try integers(as: Int16.self)
        case .i8: return try integers(as: Int8.self)
        case .u8: return try integers(as: UInt8.self)
        default: throw wrongType(expected: "an integer type")
        }
    }

    /// The tensor's bytes; U8 and BOOL are read.
    ///
    /// Throws ``VernierError/Code/mismatch`` if `shape` is given and differs, or if the type is another one.
    public func uint8(shape: [Int]? = nil) throws -> [UInt8] {
        try check(shape: shape)
        guard elementType == .u8 || elementType == .bool else { throw wrongType(expected: "U8 or BOOL") }
        return withBytes { Array($0) }
    }

    private func integers<Stored: FixedWidthInteger & BitwiseCopyable>(as type: Stored.Type) throws -> [Int32] {
        try withBytes { bytes in
            try (0..<elementCount).map { index in
                let offset = index * MemoryLayout<Stored>.size
                let stored = Stored(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Stored.self))
                guard let value = Int32(exactly: stored) else {
                    throw VernierError(
                        .mismatch, at: place, expected: "32-bit integers", found: "\(stored) at index \(index)")
                }
                return value
            }
        }
    }

    private func checkIsFloat() throws {
        guard [.f32, .f16, .bf16].contains(elementType) else {
            throw wrongType(expected: "F32, F16 or BF16")
        }
    }

    private func wrongType(expected: String) -> VernierError {
        VernierError(.mismatch, at: place, expected: expected, found: elementType.name)
    }

    private func nonFinite(in values: UnsafeMutableBufferPointer<Float>, from first: Int) -> VernierError {
        let index = values.firstIndex { !$0.isFinite } ?? 0
        return VernierError(
            .nonFinite, at: place, expected: "finite numbers", found: "\(values[index]) at index \(first + index)",
            remedy: "The weights are damaged or come from a diverged training run; fetch or export them again.")
    }
}
