import VernierCore

/// A mean over prompts with its 95 % interval.
public struct Estimate: Sendable, Hashable {
    /// The mean.
    public let mean: Double
    /// The interval's lower end.
    public let low: Double
    /// The interval's upper end.
    public let high: Double
    /// The number of values (prompts) behind it.
    public let count: Int

    /// Makes an estimate.
    public init(mean: Double, low: Double, high: Double, count: Int) {
        self.mean = mean
        self.low = low
        self.high = high
        self.count = count
    }

    /// `{"count", "high", "low", "mean"}`.
    public var json: JSONValue {
        ["mean": .number(mean), "low": .number(low), "high": .number(high), "count": .integer(Int64(count))]
    }
}
