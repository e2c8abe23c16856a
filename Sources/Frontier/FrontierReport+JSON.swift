import Evaluation
import Generation
import ProfileFormat
import VernierCore

extension FrontierReport {
    /// The report for programs, format `vernier-frontier`, version 1: every point with its estimates and bytes, the
    /// other variants, paired differences from the compared method, and what was not run. Records of single pictures
    /// lie in the files that `records` names.
    public func json() throws -> JSONValue {
        [
            "format": "vernier-frontier", "version": 1, "model": model.jsonValue,
            "statisticsDigest": .string(statisticsDigest), "calibrationPrompts": .integer(Int64(calibrationPrompts)),
            "settings": settings, "prompts": .array(request.prompts.map { .string($0.caption) }),
            "bootstrapSeed": .seed(request.bootstrapSeed), "baseline": baseline.json(withRecords: false),
            "methods": .array(
                request.methods.map { ["name": .string($0.name), "summary": .string($0.summary)] as JSONValue }),
            "budgets": .array(request.budgets.map { .string($0.shortLabel) }),
            "storages": .array(request.storages.map { .string($0.name) }),
            "points": .array(
                try points.enumerated().map { try $0.element.json(isPareto: paretoSet.contains($0.offset)) }),
            "otherVariants": .array(try otherVariants.map { try $0.json(isPareto: false) }),
            "paretoSet": .array(paretoSet.map { .string(points[$0].row.name) }),
            "differences": try differences(), "notRun": .array(gaps.map(\.json)),
        ]
    }

    private func differences() throws -> JSONValue {
        guard let name = request.comparedMethod else { return .null }
        let rows = try comparedPairs.map { point, reference in
            var object = JSONObject()
            object["name"] = .string(point.row.name)
            object["from"] = .string(reference.row.name)
            for metric in EvaluationMetric.all {
                let difference = try point.row.pairedDifference(
                    metric, from: reference.row, bootstrapSeed: request.bootstrapSeed)
                object[metric.key] = difference?.json ?? .null
            }
            return JSONValue.object(object)
        }
        return ["from": .string(name), "rows": .array(rows)]
    }
}
