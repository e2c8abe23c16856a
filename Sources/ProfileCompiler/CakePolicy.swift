import CalibrationStatistics
import ProfileFormat
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Layers share the budget by their preference, `entropy^(1/tau1) * variance^(1/tau2)` (CAKE, arXiv 2503.12491).
///
/// The entropy says how widely a layer's queries look, the variance how far their looks differ. Both are sums over
/// heads and branches at the target scale: ``Statistic/rowEntropy``, and the variance over `queries` of what each
/// history position receives, summed over positions, as sketches measure it. Without sketches it is the variance over
/// `columns` of what the positions receive, ``Statistic/columnVariance``. Every compressed scale is divided anew; heads
/// of a layer hold the same. Where no layer has a preference, all hold the same.
///
/// Deviations: CAKE measures the prompt at hand, here it is the calibration's mean; it looks at the queries of an
/// observation window, here at all; the window is not set aside, because the runtime keeps it only if the selection
/// rule does. tau1 and tau2 are tuned for each model and budget in CAKE (0.4 to 2.3); as for models without such
/// figures, they are 1.
struct CakePolicy: AllocationPolicy {
    let name = "cake"
    let summary = "Layers hold in proportion to the entropy and the variance of their attention (CAKE)."
    let parameters = [
        PolicyParameter(
            name: "tau1", meaning: "The entropy enters as its 1/tau1-th power.", standard: 1.0,
            domain: .number(0.01...100)),
        PolicyParameter(
            name: "tau2", meaning: "The variance enters as its 1/tau2-th power.", standard: 1.0,
            domain: .number(0.01...100)),
        PolicyParameter(
            name: "variance",
            meaning: "Over what the attention's variance is taken; queries if left out and there are sketches, else "
                + "columns.", standard: nil, domain: .choice(["queries", "columns"])),
    ]

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let tau1 = parameters.number("tau1") ?? 1, tau2 = parameters.number("tau2") ?? 1
        let overQueries = parameters["variance"].map { $0 == "queries" } ?? problem.statistics.hasSketches
        guard !overQueries || problem.statistics.hasSketches else {
            throw VernierError(
                .invalidArgument, at: "policy '\(name)'", expected: "statistics with sketches", found: "none",
                remedy: "Calibrate with signs, or set variance to columns.")
        }
        let capacities = problem.fill { scale in
            let preferences = (0..<problem.layers).map { layer -> Double in
                let (entropy, variance) = Self.spread(
                    problem.statistics, layer: layer, scale: scale, overQueries: overQueries)
                return pow(max(entropy, 0), 1 / tau1) * pow(max(variance, 0), 1 / tau2)
            }
            let total = preferences.reduce(0, +)
            guard total > 0, total.isFinite else {
                return [Int](repeating: problem.wholeMeanTokens, count: problem.layers)
            }
            let slotsPerHead = Double(problem.slotsPerBranch) / Double(problem.heads)
            return preferences.map { Int(($0 / total * slotsPerHead).rounded(.down)) }
        }
        var complete = parameters
        complete["variance"] = overQueries ? "queries" : "columns"
        return Allocation(capacities: capacities, parameters: complete)
    }

    /// Entropy and variance of one layer at one scale, summed over heads and branches.
    private static func spread(
        _ statistics: CalibrationStatistics, layer: Int, scale: Int, overQueries: Bool
    ) -> (entropy: Double, variance: Double) {
        var (entropy, variance) = (0.0, 0.0)
        for branch in 0..<statistics.identity.branches {
            for head in 0..<statistics.identity.heads {
                entropy += statistics.meanRowEntropy(branch: branch, layer: layer, head: head, scale: scale)
                let queries =
                    overQueries
                    ? statistics.queryVariance(branch: branch, layer: layer, head: head, scale: scale) : nil
                variance +=
                    queries ?? statistics.meanColumnVariance(branch: branch, layer: layer, head: head, scale: scale)
            }
        }
        return (entropy, variance)
    }
}
