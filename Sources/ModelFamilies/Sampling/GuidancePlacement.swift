import VernierCore

/// Where classifier-free guidance acts: on the logits, on the hidden state behind blocks, or on both (Infinity's
/// `cfg_insertion_layer`, `models.md` section 3.6).
///
/// Behind a block the hidden states of both branches are replaced by their guided mixture. Unless guidance acts on the
/// logits too, those of the conditional branch are then taken as they are.
public struct GuidancePlacement: Sendable, Hashable {
    /// As official settings write it: 0 for the logits, -i for behind block `L - i`, 0-based, of L.
    public let layers: [Int]

    /// On the logits alone, as every released model is sampled.
    public static let logits = GuidancePlacement(checked: [0])

    private init(checked: [Int]) { layers = checked }

    /// Reads official settings.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for no place, one that is given twice, or one above 0.
    public init(layers: [Int]) throws {
        guard !layers.isEmpty, Set(layers).count == layers.count, layers.allSatisfy({ $0 <= 0 }) else {
            throw VernierError(
                .invalidArgument, at: "guidance layers",
                expected: "different numbers: 0 for the logits, -i for behind the i-th block from the end",
                found: "\(layers)")
        }
        self.init(checked: layers.sorted(by: >))
    }

    /// Whether logits are guided.
    public var onLogits: Bool { layers.contains(0) }

    /// Whether the hidden state is guided behind a block of `depth`, counted from 0.
    public func isBehind(block: Int, depth: Int) -> Bool { layers.contains(block - depth) }

    /// Throws ``VernierError/Code/invalidArgument`` unless all blocks are among `depth`.
    public func requireFit(depth: Int) throws {
        guard let lowest = layers.min(), lowest < -depth else { return }
        throw VernierError(
            .invalidArgument, at: "guidance layers", expected: "-\(depth) to 0, for \(depth) blocks", found: "\(lowest)"
        )
    }
}
