import Foundation
import VernierCore

/// Spearman's rank correlation of two lists: 1 if they order the same things alike, -1 if the other way round, about 0
/// if one says nothing of the other's order.
///
/// The Pearson correlation of the ranks, where equal values share the mean of the ranks that they take up. The interval
/// is that of Bonett and Wright 2000 (Psychometrika 65): `tanh(atanh(r) +- 1.96 sqrt((1 + r^2 / 2) / (n - 3)))`.
public struct RankCorrelation: Sendable, Hashable {
    /// The correlation, -1 to 1.
    public let value: Double
    /// The lower end of the 95 % interval.
    public let low: Double
    /// The upper end of the 95 % interval.
    public let high: Double
    /// The things that were ordered.
    public let count: Int

    /// Correlates two lists; nil for fewer than 4 things, which have no interval, and for a list of equal values.
    ///
    /// Throws ``VernierCore/VernierError/Code/mismatch`` for lists of different lengths and
    /// ``VernierCore/VernierError/Code/nonFinite`` if a value is not finite.
    /// - Complexity: O(n log n).
    public init?(_ left: [Double], _ right: [Double]) throws {
        guard left.count == right.count else {
            throw VernierError(
                .mismatch, at: "rank correlation", expected: "\(left.count) values in both lists",
                found: "\(right.count)")
        }
        if let value = (left + right).first(where: { !$0.isFinite }) {
            throw VernierError(.nonFinite, at: "rank correlation", expected: "finite values", found: "\(value)")
        }
        let count = left.count, center = Double(count + 1) / 2
        guard count > 3 else { return nil }
        let a = Self.ranks(left).map { $0 - center }, b = Self.ranks(right).map { $0 - center }
        func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let spread = (product(a, a) * product(b, b)).squareRoot()
        guard spread > 0 else { return nil }
        let value = min(max(product(a, b) / spread, -1), 1)
        let reach = 1.96 * ((1 + value * value / 2) / Double(count - 3)).squareRoot()
        self.value = value
        low = tanh(atanh(value) - reach)
        high = tanh(atanh(value) + reach)
        self.count = count
    }

    /// The rank of every value, from 1; equal values share the mean of theirs.
    static func ranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
            for place in start..<end { ranks[order[place]] = Double(start + end + 1) / 2 }
            start = end
        }
        return ranks
    }
}
