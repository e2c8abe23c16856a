import Evaluation
import ProfileFormat
import VernierCore

extension FrontierReport {
    /// The metrics of the tables.
    private static let metrics: [EvaluationMetric] = [
        .psnrDecibels, .structuralSimilarity, .bitAgreement, .forcedDecodingKLNats, .sceneCorrect,
    ]

    /// The report for people: the pareto set, a table a budget, equal bytes, paired differences, variants, and what was
    /// not run.
    public func markdown() throws -> String {
        var text = "# Fidelity per byte of \(model.name)\n\n" + preamble
        text += "\n## Pareto set\n\nNo other point has as high a PSNR in as few bytes.\n\n"
        text += table(paretoSet.map { points[$0] }, withBudget: true).text
        for budget in request.budgets {
            let rows = points.filter { $0.budget == budget }
            guard !rows.isEmpty else { continue }
            text += "\n## At a budget of \(budget)\n\n" + table(sorted(rows), withBudget: false).text
        }
        let fixed = points.filter { point in !request.budgets.contains(point.budget) }
        if !fixed.isEmpty {
            text += "\n## Without eviction\n\n" + table(sorted(fixed), withBudget: false).text
        }
        if let equal = equalBytes() { text += "\n## At equal bytes\n\n" + equal }
        if let differences = try differenceTable() {
            text += "\n## Differences from \(request.comparedMethod ?? "")\n\n"
            text += "Same budget, same storage, paired by prompt; an interval without 0 is a difference.\n\n"
            text += differences.text
        }
        if !otherVariants.isEmpty {
            text += "\n## All variants\n\nWhat each method's best was chosen from, PSNR in dB.\n\n"
            text += variantTable().text
        }
        if !gaps.isEmpty { text += "\n## Not run\n\n" + gapTable().text }
        return text
    }

    private var preamble: String {
        let prompts = EstimateText.counted(request.prompts.count, "held-out prompt")
        let seeds = EstimateText.counted(request.seeds.count, "seed")
        let divergences = request.divergencePrompts.map { $0 < request.prompts.count ? $0 : request.prompts.count }
        return """
            \(prompts), \(seeds) each, against the full cache with the same noise; compiled from statistics of \
            \(EstimateText.counted(calibrationPrompts, "prompt")). In brackets: 95 % intervals over prompts. The \
            divergence (KL) is measured on \
            \(divergences.map { "the first \($0) prompts" } ?? "all prompts"). Bytes are the resident cache of one \
            picture, all branches; predicted equals measured unless both are shown. "ScaleKV's bytes" prices the same \
            slots as that work does: keys in fp32, values in bf16, 6 bytes a channel pair. Of a method with several \
            variants the best by PSNR at each budget is shown, chosen on these very pictures in \
            \(request.storages[0].name).

            The full cache takes \(baseline.predictedResidentBytes) bytes\(fullScene).

            """
    }

    private var fullScene: String {
        guard let scene = baseline.estimates[EvaluationMetric.sceneCorrect.key] else { return "" }
        return "; \(EstimateText.cell(scene, 3)) of its pictures show all of their scene"
    }

    // MARK: - Tables

    /// By storage format in the order of the request, then by falling PSNR, then by name.
    private func sorted(_ points: [FrontierPoint]) -> [FrontierPoint] {
        func place(_ point: FrontierPoint) -> Int { request.storages.firstIndex(of: point.storage) ?? 0 }
        return points.sorted { (place($0), -$0.psnr, $0.row.name) < (place($1), -$1.psnr, $1.row.name) }
    }

    private func table(_ points: [FrontierPoint], withBudget: Bool) -> MarkdownTable {
        let metrics = Self.metrics.filter { metric in points.contains { $0.row.estimates[metric.key] != nil } }
        var columns = ["method", "variant", "storage"].map { MarkdownTable.Column($0) }
        if withBudget { columns.append(MarkdownTable.Column("budget", isRightAligned: true)) }
        columns += ["slots a cell", "bytes", "ScaleKV's bytes"].map { MarkdownTable.Column($0, isRightAligned: true) }
        columns += metrics.map { MarkdownTable.Column($0.title(choice: choice), isRightAligned: true) }
        var table = MarkdownTable(columns: columns)
        for point in points {
            var cells = [point.method, variantText(point), point.storage.name]
            if withBudget { cells.append(point.budget.shortLabel) }
            cells += [
                EstimateText.decimal(point.profile.realisedBudget.meanTokensPerCell, 2), bytes(point),
                "\(point.scaleKVBytes)",
            ]
            table.add(cells + metrics.map { EstimateText.cell(point.row.estimates[$0.key], $0.fractionDigits) })
        }
        return table
    }

    private func variantText(_ point: FrontierPoint) -> String {
        point.variantCount > 1 ? "\(point.variant), best of \(point.variantCount)" : point.variant
    }

    private func bytes(_ point: FrontierPoint) -> String {
        guard let measured = point.row.measuredResidentBytes, measured != point.residentBytes else {
            return "\(point.residentBytes)"
        }
        return "\(point.residentBytes), measured \(measured)"
    }

    /// What each method reaches in the bytes that the compared method takes, by its own accounting, at each budget.
    private func equalBytes() -> String? {
        guard let name = request.comparedMethod else { return nil }
        let targets = request.budgets.compactMap { budget in
            point(name, budget, request.storages[0]).map { (point: $0, bytes: $0.scaleKVBytes) }
        }
        guard !targets.isEmpty else { return nil }
        var table = MarkdownTable(
            columns: [MarkdownTable.Column("method")]
                + targets.map {
                    MarkdownTable.Column("\($0.bytes) (\($0.point.budget.shortLabel))", isRightAligned: true)
                })
        table.add(
            ["\(name), keys fp32, values bf16"]
                + targets.map { EstimateText.decimal($0.point.psnr, 2) })
        for method in request.methods {
            let own = points.filter { $0.method == method.name }
            guard !own.isEmpty else { continue }
            let cells = targets.map { target -> String in
                let fitting = own.filter { $0.residentBytes <= target.bytes }
                guard let best = fitting.max(by: { $0.psnr < $1.psnr }) else { return "-" }
                return "\(EstimateText.decimal(best.psnr, 2)) "
                    + "(\(best.storage.name), \(best.budget.shortLabel))"
            }
            table.add([method.name] + cells)
        }
        return """
            Columns are the bytes that \(name) takes at each budget with keys in fp32 and values in bf16. In each \
            column every method's best PSNR in dB, whatever budget and storage, among the points that stay within \
            these bytes.

            \(table.text)
            """
    }

    private func differenceTable() throws -> MarkdownTable? {
        let pairs = comparedPairs
        guard !pairs.isEmpty else { return nil }
        let metrics = Self.metrics.filter { metric in pairs.contains { $0.point.row.estimates[metric.key] != nil } }
        var table = MarkdownTable(
            columns: ["method", "storage"].map { MarkdownTable.Column($0) }
                + [MarkdownTable.Column("budget", isRightAligned: true)]
                + metrics.map { MarkdownTable.Column($0.title(choice: choice), isRightAligned: true) })
        for (point, reference) in pairs {
            let cells = try metrics.map { metric in
                EstimateText.cell(
                    try point.row.pairedDifference(
                        metric, from: reference.row, bootstrapSeed: request.bootstrapSeed),
                    metric.fractionDigits, hasSign: true)
            }
            table.add([point.method, point.storage.name, point.budget.shortLabel] + cells)
        }
        return table
    }

    private func variantTable() -> MarkdownTable {
        let budgets = request.budgets
        var table = MarkdownTable(
            columns: ["method", "variant"].map { MarkdownTable.Column($0) }
                + budgets.map { MarkdownTable.Column($0.shortLabel, isRightAligned: true) })
        let all = (points + otherVariants).filter { $0.storage == request.storages[0] }
        for method in request.methods where method.variants.count > 1 {
            for variant in method.variants {
                let own = all.filter { $0.method == method.name && $0.variant == variant.label }
                guard !own.isEmpty else { continue }
                let cells = budgets.map { budget in
                    own.first { $0.budget == budget }.map { EstimateText.decimal($0.psnr, 2) } ?? "-"
                }
                table.add([method.name, variant.label] + cells)
            }
        }
        return table
    }

    /// One row a method and reason, with the budgets it stands for.
    private func gapTable() -> MarkdownTable {
        struct Reason: Hashable {
            let method, variant, storage, reason: String
        }
        var table = MarkdownTable(columns: ["method", "budgets", "reason"].map { MarkdownTable.Column($0) })
        var order: [Reason] = [], budgets: [Reason: [String]] = [:]
        for gap in gaps {
            let reason = Reason(
                method: gap.method, variant: gap.variant, storage: gap.storage.name, reason: gap.reason)
            if budgets[reason] == nil { order.append(reason) }
            budgets[reason, default: []].append(gap.budget.shortLabel)
        }
        for reason in order {
            let name = reason.variant.isEmpty ? reason.method : "\(reason.method) (\(reason.variant))"
            table.add([
                "\(name), \(reason.storage)", (budgets[reason] ?? []).joined(separator: ", "), reason.reason,
            ])
        }
        return table
    }
}
