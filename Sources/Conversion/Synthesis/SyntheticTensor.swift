import Checkpoints
import TensorKernels
import VernierCore

/// Makes the numbers of one tensor of a synthetic checkpoint.
///
/// The i-th number depends on the seed, the tensor's name and i alone, not on the element type beyond its rounding.
struct SyntheticTensor {
    private static let numbersPerPart = 1 << 18

    let declaration: TensorDeclaration
    let floatType: ElementType
    let seed: UInt64

    /// The type it is stored in.
    var elementType: ElementType { declaration.isInteger ? .i64 : floatType }

    /// The tensor, in memory.
    func made() -> TensorView {
        let count = declaration.elementCount
        let bytes = [UInt8](unsafeUninitializedCapacity: count * elementType.byteCount) { buffer, initialised in
            initialised = count * elementType.byteCount
            guard let start = buffer.baseAddress else { return }
            nonisolated(unsafe) let raw = UnsafeMutableRawPointer(start)
            Parallel.forEach(parts: (count + Self.numbersPerPart - 1) / Self.numbersPerPart) { part in
                let first = part * Self.numbersPerPart
                fill(first..<min(first + Self.numbersPerPart, count), raw)
            }
        }
        return TensorView(name: declaration.name, elementType: elementType, shape: declaration.shape, bytes: bytes)
    }

    private func fill(_ range: Range<Int>, _ raw: UnsafeMutableRawPointer) {
        switch declaration.fill {
        case .constant(let value):
            for index in range { store(value, at: index, raw) }
        case .even(let centre, let bound):
            let generator = CounterGenerator(seed: seed ^ Self.hash(declaration.name))
            for index in range {
                // 24 bits are all that a float32 from -1 to 1 takes evenly; two numbers come from one draw.
                let bits = generator.bits(at: UInt64(index / 2)) >> (index % 2 == 0 ? 40 : 8)
                let unit = Float(Int32(truncatingIfNeeded: bits & 0xff_ffff) - 0x80_0000) * 0x1p-23
                store(centre + bound * unit, at: index, raw)
            }
        case .scaleIndices(let scales):
            for index in range {
                raw.storeBytes(of: Int64(scales[index]).littleEndian, toByteOffset: index * 8, as: Int64.self)
            }
        case .mask(let scales):
            for index in range {
                let query = index / scales.count, key = index % scales.count
                store(scales[query] >= scales[key] ? 0 : -.infinity, at: index, raw)
            }
        }
    }

    private func store(_ value: Float, at index: Int, _ raw: UnsafeMutableRawPointer) {
        if floatType == .f32 {
            raw.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: index * 4, as: UInt32.self)
        } else {
            // To nearest, ties to even.
            let bits = value.bitPattern, rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16
            raw.storeBytes(
                of: UInt16(truncatingIfNeeded: rounded).littleEndian, toByteOffset: index * 2, as: UInt16.self)
        }
    }

    /// FNV-1a over the name's UTF-8 bytes.
    private static func hash(_ name: String) -> UInt64 {
        name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
