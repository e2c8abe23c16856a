import Evaluation
import ProfileFormat
import VernierCore

/// One candidate of a frontier with what was measured of it.
public struct FrontierPoint: Sendable {
    /// The method.
    public let method: String
    /// The variant that stands for it; empty if it has one only.
    public let variant: String
    /// How many variants it was chosen from.
    public let variantCount: Int
    /// The budget that was asked for.
    public let budget: BudgetRequest
    /// The storage format that was asked for; a policy may decide otherwise cell by cell.
    public let storage: CellStorage
    /// The compiled profile.
    public let profile: Profile
    /// The figures with their 95 % intervals; its name is unique in the report.
    public let row: EvaluationRow
    /// The key of the stored measurement.
    let measurementKey: String

    /// The most slots resident at any step, all branches: what ``scaleKVBytes`` prices.
    public var residentSlots: Int { profile.residentPlan.residentSlots }
    /// The same slots in ScaleKV's own accounting: keys in fp32 and values in bf16, 6 bytes a channel pair.
    public var scaleKVBytes: Int { residentSlots * profile.model.headWidth * ResidentPlan.referenceBytesPerChannelPair }
    /// Resident bytes of one picture.
    public var residentBytes: Int { row.predictedResidentBytes }
    /// PSNR against the full cache; every point has one.
    public var psnrDecibels: Estimate? { row.estimates[EvaluationMetric.psnrDecibels.key] }

    init(
        task: FrontierTask, variantCount: Int, profile: Profile, measurement: Measurement, bootstrapSeed: UInt64
    ) throws {
        method = task.method.name
        variant = task.variant.label
        self.variantCount = variantCount
        budget = task.budget
        storage = task.storage
        self.profile = profile
        measurementKey = measurement.key
        row = try EvaluationRow(
            name: task.name, policy: profile.policy.name, selection: profile.selection.name,
            storage: profile.storage.name, keptShare: profile.realisedBudget.keptShare,
            predictedResidentBytes: measurement.predictedResidentBytes,
            measuredResidentBytes: measurement.measuredResidentBytes, records: measurement.records,
            bootstrapSeed: bootstrapSeed)
    }

    func json(isPareto: Bool) throws -> JSONValue {
        guard case .object(var object) = row.json(withRecords: false) else { return .null }
        object["method"] = .string(method)
        object["variant"] = .string(variant)
        object["variantCount"] = .integer(Int64(variantCount))
        object["requestedStorage"] = .string(storage.name)
        object["budget"] = .string(budget.shortLabel)
        object["lastScaleSlots"] = .integer(Int64(profile.realisedBudget.lastScaleSlots))
        object["residentSlots"] = .integer(Int64(residentSlots))
        object["scaleKVBytes"] = .integer(Int64(scaleKVBytes))
        object["isPareto"] = .bool(isPareto)
        object["profileDigest"] = .string(try profile.digest())
        object["records"] = .string("candidates/\(MeasurementStore.recordName(key: measurementKey))")
        return .object(object)
    }
}
