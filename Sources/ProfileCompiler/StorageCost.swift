import CalibrationStatistics
import ProfileFormat

/// What it is predicted to cost to store a plan's slots in a format, in the unit of the plan's own costs: squared error
/// at the residual stream, mean over queries, times the weight of layer and scale, summed over cells and scales.
///
/// Every cell counts its measured storage error times the share of its attention on the history that falls on positions
/// which still are in some slot. An approximation: the errors were measured with the whole history stored position by
/// position. A slot that stands for many gathers their attention, so that errors average out less, and is a mean, which
/// rounds less coarsely; neither is known, nor that a slot is rounded anew whenever something joins it.
struct StorageCost {
    private let statistics: CalibrationStatistics
    private let weights: [Double]  // [cell], 0 at scale 0; a branch's part of it

    /// Prepares the costs of a plan's slots; `layerWeights` are those of the plan's costs, `[layer][scale]`, none: 1.
    init(statistics: CalibrationStatistics, plan: PoolingPlan, layerWeights: [[Float]]) {
        self.statistics = statistics
        let layout = statistics.layout, schedule = statistics.schedule
        // Cells of shared branches count once in a plan's costs.
        let part = plan.branchCount == 1 ? 1 / Double(layout.branches) : 1
        var weights = [Double](repeating: 0, count: layout.cellCount)
        for branch in 0..<layout.branches {
            for layer in 0..<layout.layers {
                for head in 0..<layout.heads {
                    for scale in 1..<max(layout.scaleCount, 1) {
                        let mass = statistics.positionMass(branch: branch, layer: layer, head: head, scale: scale)
                        let whole = mass.reduce(0, +)
                        let groups = plan.groups(
                            branch: branch, scale: scale, layer: layer, head: head, schedule: schedule)
                        let isWhole = groups.reduce(0) { $0 + $1.count } == mass.count
                        let kept =
                            isWhole || whole <= 0
                            ? 1 : groups.reduce(0) { $1.reduce($0) { $0 + mass[$1] } } / whole
                        let weight = layerWeights.isEmpty ? 1 : Double(layerWeights[layer][scale])
                        weights[layout.cell(branch: branch, layer: layer, head: head, scale: scale)] =
                            kept * weight * part
                    }
                }
            }
        }
        self.weights = weights
    }

    /// The cost of storing the slots in `format`.
    func cost(of format: StorageFormat) -> Double {
        let layout = statistics.layout
        var sum = 0.0
        for branch in 0..<layout.branches {
            for layer in 0..<layout.layers {
                for head in 0..<layout.heads {
                    for scale in 0..<layout.scaleCount {
                        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
                        sum +=
                            weights[cell]
                            * statistics.storageError(format, branch: branch, layer: layer, head: head, scale: scale)
                    }
                }
            }
        }
        return sum
    }
}
