import ProfileFormat

/// Keeps the first scales (attention sinks) and the newest tokens (StreamingLLM, arXiv 2309.17453).
///
/// Deviation: the sinks are whole first scales, because a map, not a token, is the unit of the sequence. Sinks take at
/// most half of the capacity.
public struct SinkRecentRule: SlotSelector {
    public static let name = "sink-recent"
    /// How many first scales are sinks.
    public let sinkScales: Int

    /// Makes the rule; three scales (14 tokens of the usual schedules) stand for the published 4 sink tokens.
    public init(sinkScales: Int = 3) { self.sinkScales = sinkScales }

    public func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
        let sinkTokens = candidates.schedule.historyTokens(min(sinkScales, candidates.schedule.scaleCount - 1))
        let present = candidates.positions.prefix { $0 < sinkTokens }.count
        let sinks = min(present, (kept.count + 1) / 2)
        for place in 0..<sinks { kept[place] = Int32(place) }
        let first = candidates.count - (kept.count - sinks)
        for place in sinks..<kept.count { kept[place] = Int32(first + place - sinks) }
    }
}
