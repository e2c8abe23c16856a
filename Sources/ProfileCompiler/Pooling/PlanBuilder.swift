import CalibrationStatistics
import ProfileFormat
import TensorKernels
import VernierCore

/// Builds the boundary maps of all cells, boundary after boundary.
///
/// At each boundary every cell is pooled to the end on its own (in parallel), which gives its costs, made monotone. Then
/// either the cheapest steps of all cells are taken until the total holds, which is at once the allocation, or each cell
/// takes as many as its capacity asks for. Slots are nested: a slot is never taken apart.
struct PlanBuilder {
    /// How many slots there may be.
    enum Allotment {
        /// Over all cells, at every scale; cells of shared branches count once.
        case total(slots: Int)
        /// Per cell.
        case capacities(CellCapacities)
    }

    /// A plan and what it is expected to cost.
    struct Result {
        let plan: PoolingPlan
        /// Sum of the costs of all steps, by scale: squared error at the residual stream, mean over queries.
        let costByScale: [Double]
    }

    let statistics: CalibrationStatistics
    let form: PlanForm
    /// Whether all branches share one table of maps; what was measured is then averaged over them.
    var sharesBranches = false
    /// How much an error of a layer counts at a scale, `[layer][scale]`; empty: all alike.
    var layerWeights: [[Float]] = []

    private var schedule: ScaleSchedule { statistics.schedule }
    private var identity: ModelIdentity { statistics.identity }
    /// Tables of maps: one, or one a branch.
    var branchCount: Int { sharesBranches ? 1 : identity.branches }
    private var cellCount: Int { branchCount * identity.layers * identity.heads }

    /// A builder for a selection. Throws ``VernierError/Code/corruptState`` if the statistics lack what it goes by.
    static func forSelection(
        _ selection: SelectionRule, form: PlanForm, statistics: CalibrationStatistics
    ) throws -> PlanBuilder {
        guard !form.needsSketches || statistics.hasSketches else {
            throw VernierError(
                .corruptState, at: "statistics", expected: "sketches of attention, keys and values", found: "none",
                remedy: "Calibrate with --signs 32, or choose another policy and selection.")
        }
        return PlanBuilder(
            statistics: statistics, form: form,
            sharesBranches: selection.parameters.bool("sharedBranches") ?? false)
    }

    /// Builds the plan.
    ///
    /// Throws ``VernierError/Code/infeasibleBudget`` if the form cannot do with so few slots.
    func build(_ allotment: Allotment) throws -> Result {
        let cells = cellCount, scales = schedule.scaleCount
        var groups = [SourceSlots](repeating: SourceSlots(), count: cells)
        var maps = [[BoundaryMap]](repeating: [], count: scales)
        maps[0] = Array(repeating: BoundaryMap(keeping: 0), count: cells)
        var costByScale = [Double](repeating: 0, count: scales)
        for scale in stride(from: 1, to: scales, by: 1) {
            let arriving = schedule.historyTokens(scale - 1)..<schedule.historyTokens(scale)
            for cell in groups.indices { groups[cell] = groups[cell].appending(arriving) }
            guard isOver(allotment, scale: scale, sources: groups) else {
                maps[scale] = groups.map { BoundaryMap(keeping: $0.count) }
                continue
            }
            let sources = groups
            let sequences = Self.parallel(cells) { sequence(cell: $0, scale: scale, sources: sources[$0]) }
            let counts = try stepCounts(sequences, scale: scale, allotment: allotment)
            let pooled = Self.parallel(cells) { cell -> (BoundaryMap, SourceSlots) in
                let plain = BoundaryMap(labels: sequences[cell].labels(after: counts[cell]))
                let map = weighted(plain, cell: cell, scale: scale, sources: sources[cell])
                return (map, sources[cell].pooled(by: map))
            }
            maps[scale] = pooled.map(\.0)
            groups = pooled.map(\.1)
            for cell in 0..<cells {
                for step in sequences[cell].steps.prefix(counts[cell]) { costByScale[scale] += Double(step.cost) }
            }
        }
        let ordered = (0..<branchCount).flatMap { branch in
            (0..<scales).flatMap { scale in
                let row = identity.layers * identity.heads
                return maps[scale][(branch * row)..<((branch + 1) * row)]
            }
        }
        return Result(
            plan: try PoolingPlan(
                schedule: schedule, branchCount: branchCount, layerCount: identity.layers,
                headCount: identity.heads, maps: ordered), costByScale: costByScale)
    }

    /// The map with mass-weighted coefficients, if the form asks for them.
    private func weighted(_ map: BoundaryMap, cell: Int, scale: Int, sources: SourceSlots) -> BoundaryMap {
        guard case .pooling(_, _, .mass) = form, !map.isIdentity else { return map }
        let mass = mass(cell: cell, scale: scale, sources: sources)
        return map.weighted(by: (0..<sources.count).map { mass[$0] / Float(sources.members($0)) })
    }

    private func mass(cell: Int, scale: Int, sources: SourceSlots) -> [Float] {
        let (_, layer, head) = place(cell), branches = branches(of: cell)
        var mass = [Double](repeating: 0, count: sources.count)
        for branch in branches {
            let positions = statistics.positionMass(branch: branch, layer: layer, head: head, scale: scale)
            for slot in 0..<sources.count {
                let sum = sources.range(slot).reduce(0) { $0 + positions[Int(sources.positions[$1])] }
                mass[slot] += sum / Double(branches.count)
            }
        }
        // What is never attended still counts a little, so that means exist.
        return mass.map { max(Float($0), 1e-20) }
    }

    private func branches(of cell: Int) -> Range<Int> {
        guard !sharesBranches else { return 0..<identity.branches }
        let branch = place(cell).branch
        return branch..<branch + 1
    }

    private func place(_ cell: Int) -> (branch: Int, layer: Int, head: Int) {
        let row = identity.layers * identity.heads
        return (cell / row, cell % row / identity.heads, cell % identity.heads)
    }

    // MARK: - How many steps

    /// Whether some cell, or all together, must give up slots at this scale.
    private func isOver(_ allotment: Allotment, scale: Int, sources: [SourceSlots]) -> Bool {
        switch allotment {
        case .total(let slots): sources.reduce(0) { $0 + $1.count } > slots
        case .capacities(let table): sources.indices.contains { sources[$0].count > capacity(table, scale, $0) }
        }
    }

    private func capacity(_ table: CellCapacities, _ scale: Int, _ cell: Int) -> Int {
        let (branch, layer, head) = place(cell)
        return table[branch, scale, layer, head]
    }

    /// The steps that every cell takes.
    private func stepCounts(_ sequences: [MergeSequence], scale: Int, allotment: Allotment) throws -> [Int] {
        switch allotment {
        case .capacities(let table):
            let counts = sequences.indices.map { max(sequences[$0].sourceCount - capacity(table, scale, $0), 0) }
            if let cell = counts.indices.first(where: { counts[$0] > sequences[$0].steps.count }) {
                throw tooFew(
                    sequences[cell].sourceCount - sequences[cell].steps.count, capacity(table, scale, cell), scale)
            }
            return counts
        case .total(let slots): return try cheapest(sequences, scale: scale, slots: slots)
        }
    }

    private func tooFew(_ least: Int, _ slots: Int, _ scale: Int) -> VernierError {
        VernierError(
            .infeasibleBudget, at: "plan", expected: "at least \(least) slots at scale \(scale)", found: "\(slots)",
            remedy: "Ask for a larger budget.")
    }

    /// The cheapest steps over all cells; ties to the lowest cell.
    private func cheapest(_ sequences: [MergeSequence], scale: Int, slots: Int) throws -> [Int] {
        let sources = sequences.reduce(0) { $0 + $1.sourceCount }
        let wanted = sources - slots, possible = sequences.reduce(0) { $0 + $1.steps.count }
        guard wanted <= possible else { throw tooFew(sources - possible, slots, scale) }
        // The cost of the last step taken, by bisection over the bits of non-negative floats, which order as they do.
        func count(upTo cost: UInt32) -> Int {
            sequences.reduce(0) { $0 + Self.prefix($1.steps, cost) }
        }
        var low: UInt32 = 0, high = Float.infinity.bitPattern
        while low < high {
            let middle = low + (high - low) / 2
            if count(upTo: middle) >= wanted { high = middle } else { low = middle + 1 }
        }
        var counts = sequences.map { low == 0 ? 0 : Self.prefix($0.steps, low - 1) }
        var missing = wanted - counts.reduce(0, +)
        for cell in counts.indices where missing > 0 {
            let more = min(Self.prefix(sequences[cell].steps, low) - counts[cell], missing)
            counts[cell] += more
            missing -= more
        }
        return counts
    }

    /// The steps that cost at most what `bits` say; costs ascend.
    private static func prefix(_ steps: [MergeSequence.Step], _ bits: UInt32) -> Int {
        var low = 0, high = steps.count
        while low < high {
            let middle = (low + high) / 2
            if steps[middle].cost.bitPattern <= bits { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: - Sequences

    /// What `body` makes of each cell, in parallel.
    private static func parallel<Result>(_ cells: Int, _ body: (Int) -> Result) -> [Result] {
        [Result](unsafeUninitializedCapacity: cells) { results, count in
            if let start = results.baseAddress {
                nonisolated(unsafe) let start = start
                Parallel.forEach(parts: cells) { (start + $0).initialize(to: body($0)) }
            }
            count = cells
        }
    }

    private func sequence(cell: Int, scale: Int, sources: SourceSlots) -> MergeSequence {
        let descriptors = descriptors(cell: cell, scale: scale, sources: sources)
        let sequence = Agglomeration.sequence(descriptors, cost: form.cost)
        guard case .positions(summary: true) = form else { return sequence }
        return Self.summarised(sequence, sources: sources)
    }

    /// What would be dropped joins the summary slot instead: the group that holds most, or the first that goes.
    private static func summarised(_ sequence: MergeSequence, sources: SourceSlots) -> MergeSequence {
        var order = sequence.steps.map { (source: Int($0.first), cost: $0.cost) }
        let summary = (0..<sources.count).first { sources.members($0) > 1 } ?? order.first?.source
        guard let summary else { return sequence }
        order.removeAll { $0.source == summary }
        var lowest = summary
        let steps = order.map { item -> MergeSequence.Step in
            defer { lowest = min(lowest, item.source) }
            return MergeSequence.Step(
                first: Int32(min(lowest, item.source)), second: Int32(max(lowest, item.source)), cost: item.cost)
        }
        return MergeSequence(sourceCount: sequence.sourceCount, steps: steps)
    }

    /// What is known of a cell's sources for the queries of `scale`.
    private func descriptors(cell: Int, scale: Int, sources: SourceSlots) -> SourceDescriptors {
        let (_, layer, head) = place(cell)
        let members = (0..<sources.count).map { Float(sources.members($0)) }
        if case .spatial = form {
            return SourceDescriptors(
                members: members, mass: members, attention: [], values: coordinates(sources), keys: [])
        }
        let mass = mass(cell: cell, scale: scale, sources: sources)
        var weights = members
        if case .pooling(_, _, .mass) = form { weights = mass }
        // Branches side by side: dot products then are sums over branches, and the factor makes them means.
        let branches = branches(of: cell), signs = statistics.layout.signCount, width = signs * branches.count
        func gathered(isMean: Bool, _ sketch: (Int) -> [Float]) -> [Float] {
            var rows = [Float](repeating: 0, count: sources.count * width)
            for (place, branch) in branches.enumerated() {
                sources.add(
                    sketch(branch), width: signs, isMean: isMean,
                    factor: branches.count > 1 ? 1 / Float(branches.count).squareRoot() : 1, to: &rows, stride: width,
                    offset: place * signs)
            }
            return rows
        }
        return SourceDescriptors(
            members: weights, mass: mass,
            attention: gathered(isMean: false) {
                statistics.attentionSketch(branch: $0, layer: layer, head: head, scale: scale)
            }, values: gathered(isMean: true) { statistics.valueSketch(branch: $0, layer: layer, head: head) },
            keys: gathered(isMean: true) { statistics.keySketch(branch: $0, layer: layer, head: head, scale: scale) },
            weight: layerWeights.isEmpty ? 1 : layerWeights[layer][scale])
    }

    /// Where sources lie on their maps: centre in rows and columns, as shares of the sides, and the scale, far apart.
    private func coordinates(_ sources: SourceSlots) -> [Float] {
        (0..<sources.count).flatMap { slot -> [Float] in
            var row: [Float] = [0, 0, 0]
            for place in sources.range(slot) {
                let position = Int(sources.positions[place]), coefficient = sources.coefficients[place]
                let scale = (0..<schedule.scaleCount).last { schedule.historyTokens($0) <= position } ?? 0
                let grid = schedule.grids[scale], token = position - schedule.historyTokens(scale)
                row[0] += coefficient * (Float(token / grid.width) + 0.5) / Float(grid.height)
                row[1] += coefficient * (Float(token % grid.width) + 0.5) / Float(grid.width)
                row[2] += coefficient * Float(scale) * Self.scaleDistance
            }
            return row
        }
    }

    /// Further than any two places of one map, so that maps are pooled with each other only when nothing else is left.
    private static let scaleDistance: Float = 16
}
