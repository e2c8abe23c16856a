import ProfileFormat
import VernierCore

extension CalibrationStatistics {
    /// The statistics of both shards of one corpus together.
    ///
    /// Commutative bit for bit. The statistics that keep rows, layer responses and storage errors are summed anew in
    /// corpus order and are therefore the same however shards are merged, and the same as those of one run over all; the
    /// sums per history position are associative up to the rounding of Float64 additions, the sketches up to that of Float32.
    ///
    /// Throws ``VernierError/Code/mismatch`` with every difference in one message if model, schedule, settings or corpus
    /// differ or a prompt is counted in both.
    public func merging(_ other: CalibrationStatistics) throws -> CalibrationStatistics {
        var problems = other.identity.differences(from: identity)
        problems += other.schedule.differences(from: schedule)
        problems += other.settings.differences(from: settings)
        if other.corpus != corpus {
            problems.append(
                "expected the corpus \(corpus.digest) of \(corpus.promptCount) prompts, "
                    + "found \(other.corpus.digest) of \(other.corpus.promptCount)")
        } else {
            let both = Set(journal.map(\.corpusIndex)).intersection(other.journal.map(\.corpusIndex)).sorted()
            if !both.isEmpty {
                let shown = both.prefix(8).map(String.init).joined(separator: ", ") + (both.count > 8 ? ", ..." : "")
                problems.append("expected each prompt in one file only, found \(both.count) in both (\(shown))")
            }
        }
        guard problems.isEmpty else {
            throw VernierError(
                .mismatch, at: "merging statistics", problems: problems,
                remedy: "Merge shards of one calibration: same model, schedule, settings and corpus, disjoint prompts.")
        }
        return merged(with: other)
    }

    /// The sum of two statistics that fit together.
    private func merged(with other: CalibrationStatistics) -> CalibrationStatistics {
        var result = self
        let sources =
            journal.indices.map { (entry: journal[$0], isOwn: true, prompt: $0) }
            + other.journal.indices.map { (entry: other.journal[$0], isOwn: false, prompt: $0) }
        let order = sources.sorted { $0.entry.corpusIndex < $1.entry.corpusIndex }
        result.journal = order.map(\.entry)
        for cell in counts.indices { result.counts[cell] += other.counts[cell] }
        for statistic in Statistic.all where !statistic.keepsRows {
            Self.add(other.sums[statistic], to: &result.sums[keyPath: statistic.values])
        }
        result.sketches.add(other.sketches)
        if settings.keepsHalves { result.evenSketches.add(other.evenSketches) }
        // The probed prompts come first in every journal.
        result.responses = order.flatMap { ($0.isOwn ? self : other).responses.dropFirst($0.prompt).prefix(1) }
        result.storageErrors = order.flatMap { ($0.isOwn ? self : other).storageErrors.dropFirst($0.prompt).prefix(1) }
        for (index, statistic) in Statistic.withRows.enumerated() {
            var rows: [Double] = []
            rows.reserveCapacity(self.rows[index].count + other.rows[index].count)
            for source in order { rows += (source.isOwn ? self : other).row(of: statistic, prompt: source.prompt) }
            result.sums[keyPath: statistic.values] = Self.sum(rows, width: layout.valueCount(of: statistic))
            result.rows[index] = rows
        }
        return result
    }

    /// The sum of rows of `width` values, added in their order to zeros.
    static func sum(_ rows: [Double], width: Int) -> [Double] {
        var sums = [Double](repeating: 0, count: width)
        for start in stride(from: 0, to: rows.count, by: width) { add(rows[start..<start + width], to: &sums) }
        return sums
    }
}
