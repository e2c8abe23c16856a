import CalibrationStatistics
import ProfileFormat

/// What a policy works on: the statistics and the slots it may spend.
struct AllocationProblem {
    /// What was measured.
    let statistics: CalibrationStatistics
    /// T: the slots of one branch at every compressed scale.
    let slotsPerBranch: Int
    /// Which tokens a cell will keep.
    var selection = SelectionRule.attentionMass()

    /// The token maps.
    var schedule: ScaleSchedule { statistics.schedule }
    /// L, the layers.
    var layers: Int { statistics.identity.layers }
    /// H, the heads per layer.
    var heads: Int { statistics.identity.heads }
    /// `L * H`, the cells of one branch at one scale.
    var cells: Int { layers * heads }
    /// The whole part of the mean tokens per cell. What is left over is dealt out by ``fill(_:)``.
    var wholeMeanTokens: Int { slotsPerBranch / cells }
    /// The scales whose history does not fit: `H_k * L * H > T`.
    var compressedScales: [Int] {
        (0..<schedule.scaleCount).filter { schedule.historyTokens($0) * cells > slotsPerBranch }
    }

    /// Makes a table from what a policy would like each layer to hold at each compressed scale.
    ///
    /// Earlier scales hold their whole history. At a compressed scale the wishes are cut to the bounds
    /// `capacity(k) <= min(H_k, capacity(k-1) + n_{k-1})` and settled to exactly ``slotsPerBranch``; see
    /// ``Settlement``.
    ///
    /// - Parameter wishes: the tokens per head of each layer, L whole numbers, not negative, for a compressed scale.
    ///   Called for ascending scales.
    func fill(_ wishes: (_ scale: Int) -> [Int]) -> CellCapacities {
        fillCells { scale, bounds in
            Settlement.settle(
                wishes: wishes(scale).flatMap { repeatElement($0, count: heads) }, bounds: bounds,
                total: slotsPerBranch)
        }
    }

    /// Makes a table from what each cell holds at each compressed scale; earlier scales hold their whole history.
    ///
    /// - Parameter tokens: the tokens of each cell, `[layer][head]`, from the most that each cell can hold,
    ///   `min(H_k, capacity(k-1) + n_{k-1})`; they stay within these bounds and sum to ``slotsPerBranch``, which the
    ///   bounds always allow. Called for ascending scales.
    func fillCells(_ tokens: (_ scale: Int, _ bounds: [Int]) -> [Int]) -> CellCapacities {
        var table = CellCapacities(
            branchCount: 1, scaleCount: schedule.scaleCount, layerCount: layers, headCount: heads)
        var previous = [Int](repeating: 0, count: cells)
        for scale in 0..<schedule.scaleCount {
            let history = schedule.historyTokens(scale)
            if history * cells <= slotsPerBranch {
                previous = [Int](repeating: history, count: cells)
            } else {
                let arriving = scale == 0 ? 0 : schedule.tokenCount(scale - 1)
                previous = tokens(scale, previous.map { min(history, $0 + arriving) })
            }
            for layer in 0..<layers {
                for head in 0..<heads { table[0, scale, layer, head] = previous[layer * heads + head] }
            }
        }
        return table
    }
}
