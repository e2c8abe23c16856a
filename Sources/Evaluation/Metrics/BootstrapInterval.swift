import VernierCore

/// Percentile bootstrap intervals of means over prompts.
///
/// The prompt is what is drawn again: values of several seeds of one prompt are averaged first
/// (``PerPromptMeans``), since they are not independent. Two policies over the same prompts are compared by the interval
/// of their per-prompt differences (``ofPairedDifference(_:_:seed:)``), which is far narrower than the two intervals
/// suggest.
///
/// Source: Efron and Tibshirani 1993, chapter 13. The same values and seed give the same interval to the last bit.
public enum BootstrapInterval {
    /// How often the prompts are drawn again.
    public static let resamples = 2_000
    /// The share of resampled means inside the interval.
    public static let confidence = 0.95

    /// The mean of `values` with its interval: the 2.5 % and 97.5 % quantiles (linear between order statistics) of the
    /// means of 2,000 samples of `values.count` values drawn with replacement.
    ///
    /// One value gives an interval of zero width: nothing is known about its spread.
    ///
    /// Throws ``VernierCore/VernierError/Code/emptyInput`` without values and
    /// ``VernierCore/VernierError/Code/nonFinite`` if a value is not finite.
    /// - Complexity: O(2,000 * count).
    public static func ofMean(_ values: [Double], seed: UInt64) throws -> Estimate {
        guard !values.isEmpty else {
            throw VernierError(.emptyInput, at: "interval", expected: "at least one prompt", found: "none")
        }
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw VernierError(
                .nonFinite, at: "interval", expected: "finite values", found: "\(values[index]) at prompt \(index)",
                remedy: "Cap infinite values first, as PeakSignalNoise.cappedMean does.")
        }
        let count = values.count
        // Means are taken of differences from the first value, so that constant data give exactly that constant.
        let origin = values[0]
        let shifted = values.map { $0 - origin }
        let generator = CounterGenerator(seed: seed)
        var counter: UInt64 = 0
        var means: [Double] = []
        means.reserveCapacity(resamples)
        for _ in 0..<resamples {
            var sum = 0.0
            for _ in 0..<count {
                sum += shifted[generator.index(at: counter, below: count)]
                counter += 1
            }
            means.append(origin + sum / Double(count))
        }
        means.sort()
        let tail = (1 - confidence) / 2
        return Estimate(
            mean: origin + shifted.reduce(0, +) / Double(count), low: quantile(means, tail),
            high: quantile(means, 1 - tail), count: count)
    }

    /// The mean of `values[i] - baseline[i]` over prompts with its interval.
    ///
    /// Throws ``VernierCore/VernierError/Code/mismatch`` if the counts differ, and as ``ofMean(_:seed:)``.
    public static func ofPairedDifference(
        _ values: [Double], _ baseline: [Double], seed: UInt64
    ) throws -> Estimate {
        guard values.count == baseline.count else {
            throw VernierError(
                .mismatch, at: "paired difference", expected: "\(baseline.count) prompts as the baseline",
                found: "\(values.count)")
        }
        return try ofMean(zip(values, baseline).map(-), seed: seed)
    }

    /// The quantile of sorted values, linear between order statistics (Hyndman and Fan's type 7).
    private static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        let place = share * Double(sorted.count - 1)
        let lower = Int(place)
        let upper = min(lower + 1, sorted.count - 1)
        return sorted[lower] + (place - Double(lower)) * (sorted[upper] - sorted[lower])
    }
}
