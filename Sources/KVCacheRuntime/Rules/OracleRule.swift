/// Keeps the positions to which the next scale of the same image really pays attention, times the norm of the value: a
/// ceiling for eviction, not a product, because it takes a full-cache run of the same request first.
///
/// The attention is read from an ``AttentionTape`` that watched that run. Positions that were not taped count 0.
public struct OracleRule: SlotSelector {
    public static let name = "oracle"
    private let tape: AttentionTape
    /// Whether the mass is multiplied by the norm of the value.
    public let valueNorm: Bool

    /// Makes the rule; `tape` is recorded anew before each run.
    public init(tape: AttentionTape, valueNorm: Bool = true) {
        self.tape = tape
        self.valueNorm = valueNorm
    }

    public var needsValueNorms: Bool { valueNorm }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let mass = tape.mass(
            sequence: candidates.sequence, layer: candidates.layer, head: candidates.head, scale: candidates.scale + 1)
        keepHighest(candidates.count, into: kept) { index in
            let position = Int(candidates.positions[index])
            guard mass.indices.contains(position) else { return 0 }
            return valueNorm ? mass[position] * Double(candidates.valueNorms?[index] ?? 1) : mass[position]
        }
    }
}
