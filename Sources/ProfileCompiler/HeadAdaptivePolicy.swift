import CalibrationStatistics
import ProfileFormat
import VernierCore

/// All layers hold the same; within a layer, heads hold the more the more of the best positions are theirs (Ada-KV,
/// arXiv 2407.11550; its safeguard as in NVIDIA/kvpress: kvpress/presses/adakv_press.py).
///
/// A position's score in a head is its calibrated attention mass (``Statistic/positionMass`` of the target scale, mean
/// over branches). Every head holds its `floor` share of an even split; the rest of the layer's slots go, one each, to
/// the positions of highest score in all heads together, ties to the lower head and then to the lower position.
///
/// Deviation: Ada-KV scores the positions of the prompt at hand and so finds another split for each; here the split is
/// that of the calibration's mean, because a profile's capacities are fixed. Which positions stay is the selection
/// rule's choice.
struct HeadAdaptivePolicy: AllocationPolicy {
    let name = "head-adaptive"
    let summary = "Layers hold the same; a layer's heads share it by their best positions' calibrated mass (Ada-KV)."
    let parameters = [
        PolicyParameter(
            name: "floor", meaning: "What every head holds at least, as a share of an even split of its layer.",
            standard: 0.2, domain: .number(0...1))
    ]

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let floorShare = parameters.number("floor") ?? 0.2
        let heads = problem.heads
        let capacities = problem.fillCells { scale, bounds in
            (0..<problem.layers).flatMap { layer -> [Int] in
                // Layers of lowest index take what does not divide.
                let slots =
                    problem.slotsPerBranch / problem.layers
                    + (layer < problem.slotsPerBranch % problem.layers ? 1 : 0)
                return Self.share(
                    slots, floor: Int((floorShare * Double(slots / heads)).rounded(.down)),
                    bounds: Array(bounds[layer * heads..<(layer + 1) * heads]),
                    scores: (0..<heads).map { Self.scores(problem.statistics, layer: layer, head: $0, scale: scale) })
            }
        }
        return Allocation(capacities: capacities, parameters: parameters)
    }

    /// The calibrated mass of a head's positions, mean over branches, falling.
    private static func scores(
        _ statistics: CalibrationStatistics, layer: Int, head: Int, scale: Int
    ) -> [Double] {
        var sums = [Double](repeating: 0, count: statistics.schedule.historyTokens(scale))
        for branch in 0..<statistics.identity.branches {
            let mass = statistics.positionMass(branch: branch, layer: layer, head: head, scale: scale)
            for position in sums.indices { sums[position] += mass[position] }
        }
        return sums.sorted(by: >)
    }

    /// How many of a layer's slots each head holds: its floor, and then one for each of the best scores of all heads.
    ///
    /// `scores` fall within each head, so a head's next candidate is the one after those it holds.
    static func share(_ slots: Int, floor: Int, bounds: [Int], scores: [[Double]]) -> [Int] {
        var held = bounds.map { min($0, floor) }
        for _ in 0..<max(0, slots - held.reduce(0, +)) {
            var best: Int?
            for head in held.indices where held[head] < bounds[head] {
                if let other = best, scores[head][held[head]] <= scores[other][held[other]] { continue }
                best = head
            }
            guard let best else { break }
            held[best] += 1
        }
        return held
    }
}
