/// Keeps the newest tokens.
public struct SlidingWindowRule: SlotSelector {
    public static let name = "sliding-window"

    /// Makes the rule.
    public init() {}

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let first = candidates.count - kept.count
        for place in kept.indices { kept[place] = Int32(first + place) }
    }
}
