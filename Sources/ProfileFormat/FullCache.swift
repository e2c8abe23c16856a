import VernierCore

/// What a cache that evicts nothing takes: for one picture, all branches (`models.md` section 5.1).
///
/// `bytes = L * C * tokens * (bytes of a key channel + bytes of a value channel) * branches`, scales of narrow formats added.
public struct FullCache: Sendable, Hashable {
    /// Tokens of every cell.
    public let tokens: Int
    /// Cells: layers, heads and branches.
    public let cells: Int
    /// Channels per head.
    public let headWidth: Int

    /// A cache as the official code keeps it: the last scale's keys and values too, though no scale reads them.
    public static func asReleased(model: ModelIdentity, schedule: ScaleSchedule) -> FullCache {
        FullCache(model, tokens: schedule.totalTokens)
    }

    /// A cache of all that is ever read again: every scale but the last. What profiles are measured against.
    public static func withoutLastScale(model: ModelIdentity, schedule: ScaleSchedule) -> FullCache {
        FullCache(model, tokens: schedule.finalHistoryTokens)
    }

    private init(_ model: ModelIdentity, tokens: Int) {
        self.tokens = tokens
        cells = model.branches * model.layers * model.heads
        headWidth = model.headWidth
    }

    /// The bytes with keys and values in `format`. The limits of identity and schedule keep the product below 2^63.
    public func bytes(_ format: StorageFormat) -> Int { tokens * cells * format.bytesPerSlot(headWidth: headWidth) }

    /// The bytes as the official code stores them: keys in float32, values in bfloat16.
    public var releasedBytes: Int { tokens * cells * headWidth * ResidentPlan.referenceBytesPerChannelPair }
}
