extension TorchTensor {
    /// Copies the elements of a tensor that is not contiguous out of its storage's bytes, row-major.
    func gathered(from storage: UnsafeRawBufferPointer) -> TensorBytes {
        TensorBytes(byteCount: byteCount) { target in
            switch elementType.byteCount {
            case 1: gather(UInt8.self, from: storage, into: target)
            case 2: gather(UInt16.self, from: storage, into: target)
            case 4: gather(UInt32.self, from: storage, into: target)
            default: gather(UInt64.self, from: storage, into: target)
            }
        }
    }

    /// Copies row by row. The checks of `init` say that every element read is in `storage`.
    private func gather<Element: BitwiseCopyable>(
        _ type: Element.Type, from storage: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) {
        let size = MemoryLayout<Element>.size
        guard let rowCount = shape.last, let rowStride = strides.last, target.count > 0 else { return }
        var index = [Int](repeating: 0, count: shape.count - 1)
        var source = elementOffset
        var position = 0
        while true {
            for column in 0..<rowCount {
                let element = storage.loadUnaligned(fromByteOffset: (source + column * rowStride) * size, as: type)
                target.storeBytes(of: element, toByteOffset: position, as: type)
                position += size
            }
            // The next row, counted like the digits of a number.
            var dimension = shape.count - 2
            while dimension >= 0 {
                index[dimension] += 1
                source += strides[dimension]
                if index[dimension] < shape[dimension] { break }
                source -= index[dimension] * strides[dimension]
                index[dimension] = 0
                dimension -= 1
            }
            if dimension < 0 { return }
        }
    }
}
