import VernierCore

extension EvaluationRow {
    /// The row with all its estimates, and with its records as columns (see ``PictureColumns``) if asked.
    package func json(withRecords: Bool) -> JSONValue {
        var estimates = JSONObject()
        for metric in EvaluationMetric.all { estimates[metric.key] = self.estimates[metric.key]?.json ?? .null }
        var object = JSONObject()
        object["name"] = .string(name)
        object["policy"] = .string(policy)
        object["selection"] = .string(selection)
        object["storage"] = .string(storage)
        object["keptShare"] = .number(keptShare)
        object["residentBytes"] = [
            "predicted": .integer(Int64(predictedResidentBytes)),
            "measured": measuredResidentBytes.map { .integer(Int64($0)) } ?? .null,
        ]
        object["estimates"] = .object(estimates)
        object["pooledPSNRDecibels"] = .finite(pooledPSNRDecibels)
        object["forcedDecodingKLNatsByScale"] = .array(forcedDecodingKLNatsByScale.map(\.json))
        object["scene"] = sceneSummary?.json ?? .null
        if withRecords { object["records"] = PictureColumns.json(records) }
        return .object(object)
    }
}
