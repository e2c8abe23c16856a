import Foundation

/// The 95 % interval of a share of successes.
public enum WilsonInterval {
    /// `(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)`, z = 1.959964; nil without trials.
    ///
    /// Sound for shares near 0 and 1 and for few trials, where a bootstrap of a constant would claim certainty.
    /// Source: Wilson 1927; Brown, Cai, DasGupta 2001 recommend it.
    /// - Precondition: 0 <= successes <= trials.
    public static func ofShare(successes: Int, trials: Int) -> Estimate? {
        precondition(0 <= successes && successes <= trials, "0 <= successes <= trials")
        guard trials > 0 else { return nil }
        let (n, p, z) = (Double(trials), Double(successes) / Double(trials), 1.959963984540054)
        let centre = p + z * z / (2 * n)
        let reach = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        let scale = 1 + z * z / n
        return Estimate(
            mean: p, low: max(0, (centre - reach) / scale), high: min(1, (centre + reach) / scale), count: trials)
    }
}
