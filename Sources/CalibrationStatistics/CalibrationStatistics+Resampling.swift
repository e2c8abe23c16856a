extension CalibrationStatistics {
    /// What the same calibration would have measured on other prompts: the statistics that keep rows are summed over
    /// the given prompts, places in ``journal``, each as often as it is given.
    ///
    /// Everything else (sums per history position, sketches, journal, the rows themselves) stays that of all prompts, so
    /// the result is for reading means of statistics with rows only (``Statistic/withRows``).
    ///
    /// - Precondition: there is at least one prompt and all are within the journal.
    package func resampled(prompts: [Int]) -> CalibrationStatistics {
        precondition(
            !prompts.isEmpty && prompts.allSatisfy(journal.indices.contains),
            "there is at least one prompt and all are within the journal")
        var result = self
        for statistic in Statistic.withRows {
            var sums = [Double](repeating: 0, count: layout.valueCount(of: statistic))
            for prompt in prompts { Self.add(row(of: statistic, prompt: prompt), to: &sums) }
            result.sums[keyPath: statistic.values] = sums
        }
        result.counts = [Int](repeating: prompts.count, count: counts.count)
        return result
    }
}
