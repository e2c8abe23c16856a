/// How the kept keys and values are stored.
public struct StorageFormat: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: String, Sendable {
        case float32
    }
    private let kind: Kind

    /// 32-bit floats, as computed: what is kept is kept exactly.
    public static let float32 = StorageFormat(kind: .float32)
    /// The names of all formats.
    public static let knownNames = [Kind.float32.rawValue]

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

    /// The bytes of one slot of one cell: a key and a value of `headWidth` channels each.
    public func bytesPerSlot(headWidth: Int) -> Int {
        switch kind {
        case .float32: 2 * headWidth * 4
        }
    }
}
