import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Whole source scales are dropped from whole heads, least attended first (HeatKV, arXiv 2605.14877,
/// arm-research/heatkv).
///
/// A head's score for a source scale is its calibrated attention mass on that scale, averaged over all later targets
/// (the scale-dependent cumulative attention score), from branch 0, the conditional one, alone; both branches then
/// share the schedule, as in the released code. Ties go to the lower head and then to the lower layer. See
/// ``HeatKVSchedule``.
///
/// Because blocks fall whole, the total stays within the budget but does not meet it exactly. The selection rule
/// `scale-blocks` keeps exactly the blocks of the schedule; with another rule only the capacities are HeatKV's.
///
/// Deviation: the number of sink scales, 3 in the released schedules of 6,425 tokens, is lowered by default where they
/// would take more than half of the budget.
struct HeatKVPolicy: AllocationPolicy {
    let name = "heatkv"
    let summary = "Heads drop whole source scales, the least attended first (HeatKV)."
    let parameters = [
        PolicyParameter(
            name: "activation",
            meaning: "Whether the budget holds after every layer's write (strict, as released) or when a scale begins "
                + "(boundary).", standard: "strict", domain: .choice(["strict", "boundary"])),
        PolicyParameter(
            name: "sinkScales",
            meaning: "How many first scales are never dropped; if left out the most, up to 3, that take half of the "
                + "budget or less.", standard: nil, domain: .integer(0...64)),
    ]

    func allocate(_ problem: AllocationProblem, parameters: Parameters) throws -> Allocation {
        let schedule = problem.schedule, sources = schedule.scaleCount - 1
        let sinkScales =
            parameters.integer("sinkScales")
            ?? (1...3).last { $0 < sources && 2 * schedule.historyTokens($0) * problem.cells <= problem.slotsPerBranch }
            ?? 0
        guard sinkScales < max(sources, 1) else {
            throw VernierError(
                .invalidArgument, at: "policy '\(name)'",
                expected: "fewer sinkScales than the \(sources) scales with later ones", found: "\(sinkScales)")
        }
        let blocks = try HeatKVSchedule(
            schedule: schedule, layers: problem.layers, heads: problem.heads, sinkScales: sinkScales,
            orders: (sinkScales..<sources).map { Self.order(problem.statistics, source: $0) },
            slots: problem.slotsPerBranch, isStrict: parameters["activation"] != "boundary")
        var complete = parameters
        complete["sinkScales"] = .integer(Int64(sinkScales))
        return Allocation(capacities: blocks.capacities, parameters: complete, blocks: blocks)
    }

    /// All heads as `layer * heads + head`, the one that attends least to `source` first.
    static func order(_ statistics: CalibrationStatistics, source: Int) -> [Int] {
        let layers = statistics.identity.layers, heads = statistics.identity.heads
        let scores = (0..<layers * heads).map { slot in
            ((source + 1)..<statistics.schedule.scaleCount).reduce(0.0) {
                $0
                    + statistics.meanSourceMass(
                        branch: 0, layer: slot / heads, head: slot % heads, scale: $1, source: source)
            }
        }
        return scores.indices.sorted {
            (scores[$0], $0 % heads, $0 / heads) < (scores[$1], $1 % heads, $1 / heads)
        }
    }
}
