/// Pools scores over neighbours in cache order: every score becomes the mean or the maximum of those at most `reach`
/// places away.
///
/// A kernel of `2 * reach + 1` with stride 1 and padding `reach`, as avg_pool1d and max_pool1d of PyTorch compute it:
/// the mean divides by the kernel's size at the ends, too, where what is missing counts 0; the maximum ignores what is
/// missing.
public struct NeighbourPooling: Sendable, Hashable {
    private enum Kind: String, Sendable { case none, average, max }
    private let kind: Kind
    /// Neighbours on each side.
    public let reach: Int

    /// Scores stay as they are.
    public static let none = NeighbourPooling(kind: .none, reach: 0)
    /// The mean over `2 * reach + 1` places.
    /// - Precondition: `reach` is not negative.
    public static func average(reach: Int) -> NeighbourPooling { NeighbourPooling(kind: .average, reach: reach) }
    /// The maximum over `2 * reach + 1` places.
    /// - Precondition: `reach` is not negative.
    public static func max(reach: Int) -> NeighbourPooling { NeighbourPooling(kind: .max, reach: reach) }

    private init(kind: Kind, reach: Int) {
        precondition(reach >= 0, "reach is not negative")
        self.kind = kind
        self.reach = reach
    }

    /// The pooling called `name`: `none`, `average` or `max`; nil if there is none.
    public init?(name: String, reach: Int) {
        guard let kind = Kind(rawValue: name) else { return nil }
        self.init(kind: kind, reach: reach)
    }

    /// The pooled scores, as many as there were. -infinity spreads through a mean.
    public func callAsFunction(_ scores: [Double]) -> [Double] {
        guard kind != .none, reach > 0 else { return scores }
        return scores.indices.map { index in
            let near = scores[Swift.max(0, index - reach)...Swift.min(scores.count - 1, index + reach)]
            return kind == .max ? near.max() ?? scores[index] : near.reduce(0, +) / Double(2 * reach + 1)
        }
    }
}
