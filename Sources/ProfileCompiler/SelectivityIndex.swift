import CalibrationStatistics
import ProfileFormat
import VernierCore

/// The attention selectivity index of ScaleKV (arXiv 2505.19602, Eq. 2 and 3): which layers need little history.
///
/// `ASI(l, k) = E[mass on the current map] * E[mass on the best K' history tokens]`, where E averages over queries,
/// prompts, heads and branches. A layer that looks only at its own map gets an index near 0 by this `raw` form, which
/// would make it a drafter, against the paper's intent; the `normalised` form divides the second factor by the whole
/// history's mass.
struct SelectivityIndex {
    /// The parameters of policies that tell drafters from refiners.
    static let parameters: [PolicyParameter] = [
        PolicyParameter(
            name: "drafters",
            meaning: "How many (layer, scale) pairs of the compressed scales become drafters; a fifth of them if left "
                + "out.", standard: nil, domain: .integer(0...Int.max)),
        PolicyParameter(
            name: "index", meaning: "The form of the selectivity index: as printed, or by the history's mass.",
            standard: "normalised", domain: .choice(["raw", "normalised"])),
        PolicyParameter(
            name: "topCount",
            meaning: "K', the best history tokens of the index, one of the counts that were measured; if left out the "
                + "largest of at most a tenth of the longest history.", standard: nil, domain: .integer(1...Int.max)),
    ]

    private let isNormalised: Bool
    private let topCountIndex: Int
    private let requestedDrafters: Int?

    /// Added to the standard deviation over layers, so that scales at which all layers agree give 0.
    private static let epsilon = 1e-9

    /// Reads the parameters. Throws ``VernierError/Code/invalidArgument`` for a count that was not measured.
    init(_ parameters: Parameters, statistics: CalibrationStatistics, policy: String) throws {
        let topCounts = statistics.settings.topCounts
        isNormalised = parameters["index"] == "normalised"
        requestedDrafters = parameters.integer("drafters")
        if let count = parameters.integer("topCount") {
            guard let index = topCounts.firstIndex(of: count) else {
                throw VernierError(
                    .invalidArgument, at: "policy '\(policy)'",
                    expected: "a topCount that was measured "
                        + "(\(topCounts.map(String.init).joined(separator: ", ")))", found: "\(count)")
            }
            topCountIndex = index
        } else {
            let tenth = statistics.schedule.finalHistoryTokens / 10
            topCountIndex = topCounts.lastIndex { $0 <= tenth } ?? 0
        }
    }

    /// The roles of all layers, [scale][layer], and the parameters filled in.
    ///
    /// Per scale `Z(l, k) = (ASI - mean over layers) / (deviation over layers + 1e-9)`; of all compressed scales the
    /// pairs of lowest Z are drafters, ties to the lower scale and then to the lower layer. If fewer pairs are
    /// compressed than drafters are asked for, all of them are drafters.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` if more drafters are asked for than there can be at any budget.
    func roles(_ problem: AllocationProblem, parameters: Parameters, policy: String) throws
        -> (roles: [[LayerRole]], parameters: Parameters)
    {
        let scales = problem.compressedScales
        let pairs = scales.count * problem.layers
        let most = (problem.schedule.scaleCount - 1) * problem.layers
        guard requestedDrafters ?? 0 <= most else {
            throw VernierError(
                .invalidArgument, at: "policy '\(policy)'",
                expected:
                    "at most \(most) drafters (\(problem.layers) layers at \(problem.schedule.scaleCount - 1) scales "
                    + "with history)", found: "\(requestedDrafters ?? 0)")
        }
        let count = min(requestedDrafters ?? max(1, (pairs + 2) / 5), pairs)
        let scores = scales.flatMap { scale in
            standardScores(problem.statistics, scale: scale).enumerated().map {
                (score: $0.element, scale: scale, layer: $0.offset)
            }
        }
        var roles = (0..<problem.schedule.scaleCount).map { scale in
            [LayerRole](repeating: scales.contains(scale) ? .refiner : .unassigned, count: problem.layers)
        }
        let order = scores.sorted { ($0.score, $0.scale, $0.layer) < ($1.score, $1.scale, $1.layer) }
        for pair in order.prefix(count) { roles[pair.scale][pair.layer] = .drafter }
        var complete = parameters
        complete["drafters"] = .integer(Int64(count))
        complete["topCount"] = .integer(Int64(problem.statistics.settings.topCounts[topCountIndex]))
        return (roles, complete)
    }

    /// Z of every layer at one scale.
    func standardScores(_ statistics: CalibrationStatistics, scale: Int) -> [Double] {
        let indices = (0..<statistics.identity.layers).map { index(statistics, layer: $0, scale: scale) }
        let mean = indices.reduce(0, +) / Double(indices.count)
        let variance = indices.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(indices.count)
        return indices.map { ($0 - mean) / (variance.squareRoot() + Self.epsilon) }
    }

    /// ASI of one layer at one scale, 0 to 1; 0 where the history got no attention at all.
    private func index(_ statistics: CalibrationStatistics, layer: Int, scale: Int) -> Double {
        var (current, top, history) = (0.0, 0.0, 0.0)
        for branch in 0..<statistics.identity.branches {
            for head in 0..<statistics.identity.heads {
                current += statistics.meanCurrentMass(branch: branch, layer: layer, head: head, scale: scale)
                top += statistics.meanTopMass(
                    branch: branch, layer: layer, head: head, scale: scale, topCountIndex: topCountIndex)
                history += statistics.meanHistoryMass(branch: branch, layer: layer, head: head, scale: scale)
            }
        }
        let count = Double(statistics.identity.branches * statistics.identity.heads)
        if isNormalised { return history > 0 ? current / count * (top / history) : 0 }
        return current / count * (top / count)
    }
}
