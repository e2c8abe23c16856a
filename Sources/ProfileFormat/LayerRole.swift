/// What a layer needs at one scale (ScaleKV): much history, little, or nothing decided.
public struct LayerRole: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: String, Sendable {
        case drafter, refiner, unassigned
    }
    private let kind: Kind

    /// A layer that attends widely over the history and gets a large capacity.
    public static let drafter = LayerRole(kind: .drafter)
    /// A layer that attends mostly its own map and gives capacity away.
    public static let refiner = LayerRole(kind: .refiner)
    /// No role: the scale keeps its whole history.
    public static let unassigned = LayerRole(kind: .unassigned)

    /// The role's name.
    public var description: String { kind.rawValue }

    /// One letter per layer, in files: `d`, `r` or `-`.
    var letter: Character {
        switch kind {
        case .drafter: "d"
        case .refiner: "r"
        case .unassigned: "-"
        }
    }

    private init(kind: Kind) { self.kind = kind }

    /// The role of one letter; nil if there is none.
    init?(letter: Character) {
        switch letter {
        case "d": kind = .drafter
        case "r": kind = .refiner
        case "-": kind = .unassigned
        default: return nil
        }
    }
}
