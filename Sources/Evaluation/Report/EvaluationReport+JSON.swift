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
            "prompts": .array(prompts.map(JSONValue.string)), "seeds": .array(seeds.map(Self.number)),
            "bootstrapSeed": Self.number(bootstrapSeed), "rows": .array(rows.map(Self.json)),
            "differences": try differences(),
        ]
    }

    private static func json(_ row: EvaluationRow) -> JSONValue {
        var estimates = JSONObject()
        for metric in EvaluationMetric.all { estimates[metric.key] = row.estimates[metric.key]?.json ?? .null }
        return [
            "name": .string(row.name), "policy": .string(row.policy), "selection": .string(row.selection),
            "storage": .string(row.storage), "keptShare": .number(row.keptShare),
            "residentBytes": [
                "predicted": .integer(Int64(row.predictedResidentBytes)),
                "measured": row.measuredResidentBytes.map { .integer(Int64($0)) } ?? .null,
            ],
            "estimates": .object(estimates), "pooledPSNRDecibels": finite(row.pooledPSNRDecibels),
            "forcedDecodingKLNatsByScale": .array(row.forcedDecodingKLNatsByScale.map(\.json)),
            "scene": row.sceneSummary?.json ?? .null, "records": columns(row.records),
        ]
    }

    private static func columns(_ records: [PictureRecord]) -> JSONValue {
        func column(_ value: (PictureRecord) -> Double?) -> JSONValue { .array(records.map { finite(value($0)) }) }
        func attribute(_ value: (SceneScore) -> Bool?) -> JSONValue {
            .array(records.map { $0.sceneScore.flatMap(value).map(JSONValue.bool) ?? .null })
        }
        return [
            "prompt": .array(records.map { .integer(Int64($0.prompt)) }),
            "seed": .array(records.map { .integer(Int64($0.seed)) }),
            "meanSquaredError": column(\.meanSquaredError),
            "psnrDecibels": column { $0.meanSquaredError.map { PeakSignalNoise.decibels(meanSquaredError: $0) } },
            "structuralSimilarity": column(\.structuralSimilarity), "bitAgreement": column(\.bitAgreement),
            "forcedDecodingKLNats": column(\.forcedDecodingKLNats),
            "forcedDecodingKLNatsByScale": .array(
                records.map { .array($0.forcedDecodingKLNatsByScale.map { finite($0) }) }),
            "seconds": column(\.seconds),
            "scene": [
                "colour": attribute(\.colour), "shape": attribute(\.shape), "size": attribute(\.size),
                "relation": attribute(\.relation), "background": attribute(\.background), "count": attribute(\.count),
                "allCorrect": attribute(\.allCorrect),
            ],
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

    private static func finite(_ value: Double?) -> JSONValue {
        value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null
    }

    /// A seed as a number, or as text if it is beyond the range of signed 64-bit integers.
    private static func number(_ seed: UInt64) -> JSONValue {
        Int64(exactly: seed).map(JSONValue.integer) ?? .string("\(seed)")
    }
}
