import CalibrationStatistics

/// The statistics of one prompt while its picture is drawn: the arrays of ``PromptStatistics``, in memory of which
/// several threads may fill different cells.
final class PromptMeasurement {
    let currentMass, topMass, sourceMass, rowEntropy: UnsafeMutablePointer<Double>
    let columnVariance, positionMass, positionWeight: UnsafeMutablePointer<Double>
    private let layout: StatisticsLayout
    private let values: DoubleBuffer  // one array behind the other, in the order of `Statistic.all`

    /// Zeros.
    init(layout: StatisticsLayout) {
        self.layout = layout
        let counts = Statistic.all.map { layout.valueCount(of: $0) }
        let values = DoubleBuffer(count: counts.reduce(0, +))
        func place(_ statistic: Int) -> UnsafeMutablePointer<Double> {
            values.pointer + counts[..<statistic].reduce(0, +)
        }
        self.values = values
        (currentMass, topMass, sourceMass, rowEntropy) = (place(0), place(1), place(2), place(3))
        (columnVariance, positionMass, positionWeight) = (place(4), place(5), place(6))
    }

    /// Sets everything to zero.
    func reset() { values.clear() }

    /// A copy of the statistics.
    var statistics: PromptStatistics {
        var next = UnsafePointer(values.pointer)
        return PromptStatistics(
            layout: layout,
            values: Statistic.all.map { statistic in
                defer { next += layout.valueCount(of: statistic) }
                return Array(UnsafeBufferPointer(start: next, count: layout.valueCount(of: statistic)))
            })
    }
}
