/// How the keys and the values of one cell's slots are stored.
public struct StorageFormat: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: String, Sendable, CaseIterable {
        case float32, bfloat16, int8, int4
    }
    private let kind: Kind

    /// 32-bit floats, as computed: what is kept is kept exactly.
    public static let float32 = StorageFormat(kind: .float32)
    /// The upper half of a 32-bit float, rounded to nearest even: 8 bits of precision, the same range.
    public static let bfloat16 = StorageFormat(kind: .bfloat16)
    /// Whole numbers from -127 to 127 times one float32 scale a row: the largest magnitude of the row over 127.
    public static let int8 = StorageFormat(kind: .int8)
    /// 4.5 bits a channel: blocks of 32 channels, turned by a Hadamard matrix, with 16 levels and one bfloat16 scale a
    /// block; see `RowFormat` in TensorKernels for the levels and for what was measured.
    public static let int4 = StorageFormat(kind: .int4)
    /// The names of all formats, from most bytes to fewest.
    public static let knownNames = Kind.allCases.map(\.rawValue)

    private init(kind: Kind) { self.kind = kind }

    /// The format called `name`; nil if there is none.
    public init?(name: String) {
        guard let kind = Kind(rawValue: name) else { return nil }
        self.kind = kind
    }

    /// The format's name in files.
    public var name: String { kind.rawValue }

    /// The format's name.
    public var description: String { name }

    /// The bytes of one slot: a key and a value of `headWidth` channels each, scales included.
    public func bytesPerSlot(headWidth: Int) -> Int { 2 * bytesPerRow(headWidth: headWidth) }

    /// The bytes of one key or one value of `headWidth` channels, scales included.
    public func bytesPerRow(headWidth: Int) -> Int {
        switch kind {
        case .float32: 4 * headWidth
        case .bfloat16: 2 * headWidth
        case .int8: headWidth + 4
        case .int4: 2 * ((headWidth + 31) / 32) + (headWidth + 1) / 2
        }
    }
}
