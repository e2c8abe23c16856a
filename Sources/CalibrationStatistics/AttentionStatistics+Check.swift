import ProfileFormat

extension AttentionStatistics {
    /// How far the masses of a row may stray from their sum, for Float32 attention over some thousand tokens.
    public static let massTolerance = 1e-3
    /// How far below zero rounding may carry a value that is zero by definition (entropies, variances).
    static let negativeTolerance = 1e-6
    /// The most problems that one check reports.
    static let mostProblems = 8

    /// What is wrong with one prompt's statistics, at most eight problems that say where; empty if nothing is.
    ///
    /// Checked: array lengths; every value finite and not negative beyond rounding; for every cell
    /// `currentMass + sum_j sourceMass[j] = 1` and `sum_p positionMass[p] = sum_j sourceMass[j]`, both within
    /// ``massTolerance``; no mass on source scales that are not history; top masses that grow with the top count
    /// and stay within the history's mass.
    public func problems() -> [String] {
        var problems: [String] = []
        for statistic in Statistic.all {
            let expected = layout.valueCount(of: statistic)
            if self[statistic].count != expected {
                problems.append("expected \(expected) values of \(statistic), found \(self[statistic].count)")
            }
        }
        guard problems.isEmpty else { return problems }
        for statistic in Statistic.all where problems.count < Self.mostProblems {
            if let index = self[statistic].firstIndex(where: { !($0.isFinite && $0 >= -Self.negativeTolerance) }) {
                let found = self[statistic][index]
                problems.append(
                    "expected finite values of \(statistic) that are not negative, found \(found) at "
                        + layout.valueName(statistic, index))
            }
        }
        guard problems.isEmpty else { return problems }
        for cell in 0..<layout.cellCount {
            problems += massProblems(cell)
            if problems.count >= Self.mostProblems { return Array(problems.prefix(Self.mostProblems)) }
        }
        return problems
    }

    /// What is wrong with the masses of one cell.
    private func massProblems(_ cell: Int) -> [String] {
        var problems: [String] = []
        let scales = layout.scaleCount
        let scale = cell % scales
        let sources = cell * scales..<(cell + 1) * scales
        let history = sourceMass[sources].reduce(0, +)
        let row = currentMass[cell] + history
        if abs(row - 1) > Self.massTolerance {
            problems.append(
                "expected current and source masses that sum to 1 within \(Self.massTolerance), found \(row)")
        }
        if let source = (scale..<scales).first(where: { sourceMass[sources.lowerBound + $0] != 0 }) {
            problems.append(
                "expected no mass on source scale \(source), which is no history of scale \(scale), found some")
        }
        let start = cell / scales * layout.positionsPerHead + layout.positionOffset(scale: scale)
        let positions = positionMass[start..<start + layout.schedule.historyTokens(scale)].reduce(0, +)
        if abs(positions - history) > Self.massTolerance {
            problems.append(
                "expected position masses that sum to the source masses' \(history) within \(Self.massTolerance), "
                    + "found \(positions)")
        }
        let counts = layout.topCounts.count
        let top = topMass[cell * counts..<(cell + 1) * counts]
        if zip(top, top.dropFirst()).contains(where: { $0 > $1 + Self.massTolerance })
            || top.contains(where: { $0 > history + Self.massTolerance })
        {
            problems.append(
                "expected top masses that grow with the top count up to the history's \(history), found \(Array(top))")
        }
        return problems.map { "\($0) at \(layout.cellName(cell))" }
    }
}
