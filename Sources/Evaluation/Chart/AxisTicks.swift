import Foundation

/// Round numbers along an axis.
enum AxisTicks {
    /// Multiples of 1, 2 or 5 times a power of ten, between three and about ten of them, from at most `low` to at least
    /// `high`.
    ///
    /// - Precondition: both are finite and `low <= high`.
    static func linear(_ low: Double, _ high: Double) -> [Double] {
        precondition(low.isFinite && high.isFinite && low <= high, "both are finite and low <= high")
        let spread = high > low ? high - low : max(abs(low), 1) * 0.1
        let power = pow(10, (log10(spread / 5)).rounded(.down))
        let step = [1, 2, 5, 10].map { $0 * power }.first { spread / $0 <= 8 } ?? 10 * power
        let first = (low / step).rounded(.down), last = max((high / step).rounded(.up), first + 1)
        return stride(from: first, through: last, by: 1).map { $0 * step }
    }

    /// 1, 2 and 5 times powers of ten from at most `low` to at least `high`; only powers of ten beyond four decades.
    ///
    /// - Precondition: `0 < low <= high`, both finite.
    static func logarithmic(_ low: Double, _ high: Double) -> [Double] {
        precondition(low > 0 && low <= high && high.isFinite, "0 < low <= high, both finite")
        let decades = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
        let factors: [Double] = decades.count > 5 ? [1] : [1, 2, 5]
        let ticks = decades.flatMap { decade in factors.map { $0 * pow(10, Double(decade)) } }
        let first = ticks.lastIndex { $0 <= low } ?? 0
        let last = max(ticks.firstIndex { $0 >= high } ?? ticks.count - 1, first + 1)
        return Array(ticks[first...min(last, ticks.count - 1)])
    }
}
