import VernierCore

extension EvaluationReport {
    /// The report for programs, format `vernier-evaluation`, version 1.
    ///
    /// Records stand as columns of equal length, one entry a picture, `null` where nothing was measured, so that any
    /// comparison can be bootstrapped later. Infinite values (PSNR of equal pictures) are `null`; the mean square, which
    /// is 0 there, is given too.
    public func json() throws -> JSONValue {
        [
            "format": "vernier-evaluation", "version": 1, "model": .string(model),
            "prompts": .array(prompts.map(JSONValue.string)), "seeds": .array(seeds.map(JSONValue.seed)),
            "bootstrapSeed": .seed(bootstrapSeed), "rows": .array(rows.map { $0.json(withRecords: true) }),
            "differences": try differences(),
        ]
    }

    private func differences() throws -> JSONValue {
        guard let reference = rows.first(where: { $0.name == comparedRow }) else { return .null }
        var byRow = JSONObject()
        for row in rows where row.name != reference.name {
            var byMetric = JSONObject()
            for metric in EvaluationMetric.all {
                let difference = try row.pairedDifference(metric, from: reference, bootstrapSeed: bootstrapSeed)
                byMetric[metric.key] = difference?.json ?? .null
            }
            byRow[row.name] = .object(byMetric)
        }
        return ["from": .string(reference.name), "rows": .object(byRow)]
    }
}
