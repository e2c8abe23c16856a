import Evaluation
import ProfileCompiler
import ProfileFormat
import VernierCore

extension RankReport {
    private var sets: [(title: String, key: String, entries: [RankEntry])] {
        [
            ("one budget, \(request.share.percent)", "equal", equal),
            ("budgets of \(request.shares.lowerBound.percent) to \(request.shares.upperBound.percent)", "mixed", mixed),
        ]
    }

    /// The report for people.
    public func markdown() throws -> String {
        var summary = MarkdownTable(columns: [
            .init("profiles"), .init("number", isRightAligned: true), .init("predicted and KL", isRightAligned: true),
            .init("predicted and -PSNR", isRightAligned: true), .init("KL and -PSNR", isRightAligned: true),
        ])
        for set in sets {
            let agreement = try agreement(set.entries)
            summary.add([
                set.title, "\(set.entries.count)", Self.cell(agreement.divergence), Self.cell(agreement.psnr),
                Self.cell(try measuredAgreement(set.entries)),
            ])
        }
        return "# Predicted and measured distortion of \(model.name)\n\n\(preamble)\n" + summary.text
            + "\n## By scale\n\nPredicted and KL of that scale.\n\n" + (try scaleTable().text)
            + "\n## Profiles\n\nPredictions are in \(unit).\n\n" + profileTable().text
    }

    private var preamble: String {
        """
        Random pooling plans (seed \(request.seed); every layer's weight times up to 2^\(request.octaves) either way), \
        measured on \(EstimateText.counted(request.prompts.count, "held-out prompt")), \
        \(EstimateText.counted(request.pictureSeeds.count, "seed")) each, against the full cache with the same noise; \
        predicted from statistics of \(EstimateText.counted(calibrationPrompts, "prompt")). KL is the forced-decoding \
        divergence. Spearman's rank correlation, in brackets its 95 % interval.

        """
    }

    private var unit: String {
        equal.first?.predicted.isInNats ?? false
            ? "nats a picture" : "squared error at the residual stream (layers' sensitivities were not measured)"
    }

    private func scaleTable() throws -> MarkdownTable {
        var table = MarkdownTable(
            columns: [.init("scale")] + sets.map { .init($0.title, isRightAligned: true) })
        for scale in (equal.first?.divergenceByScale ?? []).indices {
            table.add(["\(scale)"] + (try sets.map { Self.cell(try divergenceAgreement($0.entries, scale: scale)) }))
        }
        return table
    }

    private func profileTable() -> MarkdownTable {
        var table = MarkdownTable(
            columns: [.init("profile")]
                + ["kept, %", "predicted", "KL, nats/\(choice)", "PSNR, dB"].map { .init($0, isRightAligned: true) })
        for entry in sets.flatMap(\.entries) {
            table.add([
                entry.name, EstimateText.decimal(100 * entry.profile.realisedBudget.keptShare, 2),
                EstimateText.decimal(entry.predicted.total, 3), EstimateText.decimal(entry.divergence, 5),
                EstimateText.decimal(entry.psnrDecibels, 2),
            ])
        }
        return table
    }

    private static func cell(_ correlation: RankCorrelation?) -> String {
        guard let correlation else { return "-" }
        let ends = [correlation.low, correlation.high].map { EstimateText.decimal($0, 2) }
        return "\(EstimateText.decimal(correlation.value, 3)) (\(ends[0]) to \(ends[1]))"
    }

    /// The report for programs.
    public func json() throws -> JSONValue {
        var settings = JSONObject()
        for (key, value) in self.settings { settings[key] = value }
        settings["corpusDigest"] = .string(request.corpusDigest)
        settings["seed"] = .string("\(request.seed)")
        settings["octaves"] = .number(request.octaves)
        settings["statisticsDigest"] = .string(statisticsDigest)
        settings["toolVersion"] = .string(request.toolVersion)
        var object = JSONObject()
        object["format"] = "vernier-rank"
        object["version"] = 1
        object["settings"] = .object(settings)
        object["predictionsAreInNats"] = .bool(equal.first?.predicted.isInNats ?? false)
        for set in sets {
            let agreement = try agreement(set.entries)
            object[set.key] = [
                "divergence": Self.json(agreement.divergence), "psnr": Self.json(agreement.psnr),
                "measured": Self.json(try measuredAgreement(set.entries)),
                "profiles": .array(set.entries.map(Self.json)),
            ]
        }
        return .object(object)
    }

    private static func json(_ correlation: RankCorrelation?) -> JSONValue {
        guard let correlation else { return .null }
        return [
            "value": .number(correlation.value), "low": .number(correlation.low), "high": .number(correlation.high),
            "count": .integer(Int64(correlation.count)),
        ]
    }

    private static func json(_ entry: RankEntry) -> JSONValue {
        [
            "name": .string(entry.name), "keptShare": .number(entry.profile.realisedBudget.keptShare),
            "predicted": .number(entry.predicted.total),
            "predictedByScaleAndLayer": .array(
                entry.predicted.byScaleAndLayer.map { .array($0.map(JSONValue.number)) }),
            "divergenceNatsPerBit": .number(entry.divergence),
            "divergenceNatsPerBitByScale": .array(entry.divergenceByScale.map(JSONValue.number)),
            "psnrDecibels": .number(entry.psnrDecibels),
        ]
    }
}

extension Double {
    /// `10 %`, `2.5 %`.
    fileprivate var percent: String { BudgetRequest.keptShare(self).shortLabel }
}
