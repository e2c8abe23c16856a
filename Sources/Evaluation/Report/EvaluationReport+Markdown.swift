import Foundation
import VernierCore

extension EvaluationReport {
    /// The report for people: the policies with intervals, what the pictures show, and paired differences.
    public func markdown() throws -> String {
        let metrics = EvaluationMetric.all.filter { metric in rows.contains { $0.estimates[metric.key] != nil } }
        var text = "# Evaluation of \(model)\n\n"
        text += "\(counted(prompts.count, "prompt")), \(counted(seeds.count, "seed")) each. "
        text += "Fidelity is measured against the full cache with the same noise. "
        text += "In brackets: 95 % intervals over prompts.\n\n"
        text += mainTable(metrics).text
        if let scenes = sceneTable() {
            text += "\n## What the pictures show\n\nShare of pictures that are right, with Wilson's 95 % interval.\n\n"
            text += scenes.text
        }
        if let divergences = scaleTable() {
            text += "\n## Forced-decoding divergence by scale\n\n"
            text += "KL of the guided bit distributions from the full cache's on the full cache's bits, nats a bit.\n\n"
            text += divergences.text
        }
        if let comparedRow, let differences = try differenceTable(metrics, comparedRow) {
            text += "\n## Differences from \(comparedRow)\n\n"
            text += "Paired by prompt; an interval without 0 is a difference.\n\n"
            text += differences.text
        }
        return text
    }

    // MARK: Tables

    private func mainTable(_ metrics: [EvaluationMetric]) -> MarkdownTable {
        let hasPooled = rows.contains { $0.pooledPSNRDecibels != nil }
        var columns = ["name", "policy", "selection", "storage"].map { MarkdownTable.Column($0) }
        columns += ["kept", "predicted bytes", "measured bytes"].map { MarkdownTable.Column($0, isRightAligned: true) }
        columns += metrics.map { MarkdownTable.Column($0.title(choice: choice), isRightAligned: true) }
        if hasPooled { columns.append(MarkdownTable.Column("pooled PSNR, dB", isRightAligned: true)) }
        var table = MarkdownTable(columns: columns)
        for row in rows {
            var cells = [row.name, row.policy, row.selection, row.storage]
            cells += [
                String(format: "%.2f %%", 100 * row.keptShare), "\(row.predictedResidentBytes)",
                row.measuredResidentBytes.map { "\($0)" } ?? "-",
            ]
            cells += metrics.map { cell(row.estimates[$0.key], $0.fractionDigits) }
            if hasPooled { cells.append(row.pooledPSNRDecibels.map { decimal($0, 2) } ?? "-") }
            table.add(cells)
        }
        return table
    }

    private func sceneTable() -> MarkdownTable? {
        guard rows.contains(where: { $0.sceneSummary != nil }) else { return nil }
        let titles = ["all", "colour", "shape", "size", "relation", "background", "count"]
        var table = MarkdownTable(
            columns: [MarkdownTable.Column("name")]
                + titles.map { MarkdownTable.Column($0, isRightAligned: true) })
        for row in rows {
            guard let summary = row.sceneSummary else { continue }
            let estimates = [
                summary.allCorrect, summary.colour, summary.shape, summary.size, summary.relation, summary.background,
                summary.count,
            ]
            table.add([row.name] + estimates.map { cell($0, 3) })
        }
        return table
    }

    private func scaleTable() -> MarkdownTable? {
        guard let scales = rows.map(\.forcedDecodingKLNatsByScale.count).max(), scales > 0 else { return nil }
        var table = MarkdownTable(
            columns: [MarkdownTable.Column("name")]
                + (0..<scales).map { MarkdownTable.Column("scale \($0)", isRightAligned: true) })
        for row in rows where row.forcedDecodingKLNatsByScale.count == scales {
            table.add([row.name] + row.forcedDecodingKLNatsByScale.map { cell($0, 4) })
        }
        return table
    }

    private func differenceTable(_ metrics: [EvaluationMetric], _ name: String) throws -> MarkdownTable? {
        guard let reference = rows.first(where: { $0.name == name }) else { return nil }
        var table = MarkdownTable(
            columns: [MarkdownTable.Column("name")]
                + metrics.map { MarkdownTable.Column($0.title(choice: choice), isRightAligned: true) })
        for row in rows where row.name != name {
            let cells = try metrics.map { metric in
                let difference = try row.pairedDifference(metric, from: reference, bootstrapSeed: bootstrapSeed)
                return cell(difference, metric.fractionDigits, hasSign: true)
            }
            table.add([row.name] + cells)
        }
        return table
    }

    // MARK: Cells

    private func cell(_ estimate: Estimate?, _ digits: Int, hasSign: Bool = false) -> String {
        EstimateText.cell(estimate, digits, hasSign: hasSign)
    }

    private func decimal(_ value: Double, _ digits: Int) -> String { EstimateText.decimal(value, digits) }

    private func counted(_ count: Int, _ noun: String) -> String { EstimateText.counted(count, noun) }
}
