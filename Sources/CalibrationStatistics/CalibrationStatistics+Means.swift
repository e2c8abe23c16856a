/// Means over the counted prompts. All are NaN before the first prompt: check ``coverageProblems()`` first.
extension CalibrationStatistics {
    /// Mean over prompts of ``Statistic/currentMass``, 0 to 1.
    public func meanCurrentMass(branch: Int, layer: Int, head: Int, scale: Int) -> Double {
        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
        return sums.currentMass[cell] / Double(counts[cell])
    }

    /// Mean over prompts of ``Statistic/topMass`` for the top count `layout.topCounts[topCountIndex]`, 0 to 1.
    public func meanTopMass(branch: Int, layer: Int, head: Int, scale: Int, topCountIndex: Int) -> Double {
        let index = layout.topMassIndex(
            branch: branch, layer: layer, head: head, scale: scale, topCountIndex: topCountIndex)
        return sums.topMass[index] / count(branch, layer, head, scale)
    }

    /// Mean over prompts of ``Statistic/sourceMass`` of one source scale, 0 to 1.
    public func meanSourceMass(branch: Int, layer: Int, head: Int, scale: Int, source: Int) -> Double {
        let index = layout.sourceMassIndex(branch: branch, layer: layer, head: head, scale: scale, source: source)
        return sums.sourceMass[index] / count(branch, layer, head, scale)
    }

    /// Mean over prompts of the attention mass on the whole history: the sum of the source masses, 0 to 1.
    public func meanHistoryMass(branch: Int, layer: Int, head: Int, scale: Int) -> Double {
        let start = layout.sourceMassIndex(branch: branch, layer: layer, head: head, scale: scale, source: 0)
        return sums.sourceMass[start..<start + layout.scaleCount].reduce(0, +) / count(branch, layer, head, scale)
    }

    /// Mean over prompts of ``Statistic/rowEntropy``, nats.
    public func meanRowEntropy(branch: Int, layer: Int, head: Int, scale: Int) -> Double {
        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
        return sums.rowEntropy[cell] / Double(counts[cell])
    }

    /// Mean over prompts of ``Statistic/columnVariance``.
    public func meanColumnVariance(branch: Int, layer: Int, head: Int, scale: Int) -> Double {
        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
        return sums.columnVariance[cell] / Double(counts[cell])
    }

    /// Mean over prompts of ``Statistic/positionMass`` of every history position of a cell; H_k values.
    ///
    /// - Complexity: O(H_k); the result is a new array.
    public func positionMass(branch: Int, layer: Int, head: Int, scale: Int) -> [Double] {
        let count = count(branch, layer, head, scale)
        let positions = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
        return sums.positionMass[positions].map { $0 / count }
    }

    /// Mean over prompts of ``Statistic/positionWeight`` of every history position of a cell; H_k values.
    ///
    /// - Complexity: O(H_k); the result is a new array.
    public func positionWeight(branch: Int, layer: Int, head: Int, scale: Int) -> [Double] {
        let count = count(branch, layer, head, scale)
        let positions = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
        return sums.positionWeight[positions].map { $0 / count }
    }

    /// One row of a statistic for one prompt, in the order of ``StatisticsLayout/shape(of:)``.
    ///
    /// - Parameter prompt: The prompt's place in ``journal``.
    /// - Precondition: the statistic keeps rows (``Statistic/keepsRows``) and the prompt is within the journal.
    public func row(of statistic: Statistic, prompt: Int) -> ArraySlice<Double> {
        precondition(
            statistic.keepsRows && journal.indices.contains(prompt),
            "the statistic keeps rows and the prompt is within the journal")
        let width = layout.valueCount(of: statistic)
        return rows(of: statistic)[prompt * width..<(prompt + 1) * width]
    }

    /// All rows of a statistic, `[prompt] + layout.shape(of: statistic)`; empty if the statistic keeps none.
    public func rows(of statistic: Statistic) -> [Double] {
        Statistic.withRows.firstIndex(of: statistic).map { rows[$0] } ?? []
    }

    private func count(_ branch: Int, _ layer: Int, _ head: Int, _ scale: Int) -> Double {
        Double(counts[layout.cell(branch: branch, layer: layer, head: head, scale: scale)])
    }
}
