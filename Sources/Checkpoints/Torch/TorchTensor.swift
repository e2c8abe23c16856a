import VernierCore

/// A named tensor of a torch file: which elements of which storage it shows.
struct TorchTensor: Sendable {
    /// The tensor's name.
    let name: String
    /// The type of its elements.
    let elementType: ElementType
    /// The extent of each dimension, outermost first.
    let shape: [Int]
    /// How many elements of the storage lie between neighbours along each dimension; 0 where there is no neighbour.
    let strides: [Int]
    /// The element of the storage that comes first.
    let elementOffset: Int
    /// Where the storage's elements stand.
    let entry: ZipEntry
    /// The tensor's size in bytes.
    let byteCount: Int

    /// Checks a tensor against its storage and the storage against its entry, `entry`.
    ///
    /// `place` names file and tensor in messages.
    init(
        name: String, shape: [Int], strides: [Int], elementOffset: Int, storage: TorchStorage, entry: ZipEntry,
        place: String
    ) throws {
        self.name = name
        self.elementType = storage.elementType
        self.shape = shape
        self.strides = zip(shape, strides).map { $0 > 1 ? $1 : 0 }
        self.entry = entry
        guard let byteCount = TensorView.byteCount(of: shape, storage.elementType) else {
            throw ZipArchive.damaged(
                place, expected: "a size below 2^63 bytes", found: "shape \(shape) of \(storage.elementType)")
        }
        self.byteCount = byteCount
        // An empty view may begin anywhere, in torch too.
        self.elementOffset = byteCount == 0 ? 0 : elementOffset
        // Division rather than a product: no overflow, and a part of an element at the end does not count.
        guard entry.byteCount / storage.elementType.byteCount == storage.elementCount else {
            throw ZipArchive.damaged(
                place, expected: "\(storage.elementCount) elements of \(storage.elementType) in its storage",
                found: "\(entry.byteCount) bytes")
        }
        guard byteCount > 0 else { return }
        guard let last = Self.lastElement(shape, self.strides, elementOffset), last < storage.elementCount else {
            throw ZipArchive.damaged(
                place, expected: "elements inside the storage's \(storage.elementCount)",
                found: "shape \(shape), strides \(strides) from element \(elementOffset) on")
        }
    }

    /// Whether the elements stand in the storage as they do in a view, one after the other.
    var isContiguous: Bool {
        guard byteCount > 0 else { return true }
        var expected = 1
        for (extent, stride) in zip(shape, strides).reversed() where extent > 1 {
            guard stride == expected else { return false }
            expected *= extent
        }
        return true
    }

    /// The tensor's place in the storage's bytes, if it is contiguous.
    var byteRange: Range<Int> {
        let start = elementOffset * elementType.byteCount
        return start..<start + byteCount
    }

    private static func lastElement(_ shape: [Int], _ strides: [Int], _ offset: Int) -> Int? {
        var last = offset
        for (extent, stride) in zip(shape, strides) {
            let (way, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
            guard !overflow else { return nil }
            let (sum, sumOverflow) = last.addingReportingOverflow(way)
            guard !sumOverflow else { return nil }
            last = sum
        }
        return last
    }
}
