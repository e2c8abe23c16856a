import CalibrationStatistics
import ProfileCompiler
import ProfileFormat
import VernierCore

/// One variant of a method at one budget in one format: what is compiled and, if that succeeds, measured.
struct FrontierTask: Sendable, Hashable {
    let method: FrontierMethod
    let variant: FrontierMethod.Variant
    let budget: BudgetRequest
    let storage: CellStorage

    /// What progress and errors call it, for example `snapkv 10 % float32 (window 4 x 4)`.
    var name: String {
        "\(method.name) \(budget.shortLabel) \(storage.name)\(variant.label.isEmpty ? "" : " (\(variant.label))")"
    }

    /// The same in another storage format.
    func stored(as storage: CellStorage) -> FrontierTask {
        FrontierTask(method: method, variant: variant, budget: budget, storage: storage)
    }

    /// Compiles the profile. Throws what the compiler refuses, unknown policies and rules included.
    func compile(_ statistics: CalibrationStatistics, toolVersion: String) throws -> Profile {
        try ProfileCompiler.compile(
            statistics: statistics,
            request: CompilationRequest(
                policy: variant.policy, budget: budget,
                selection: try SelectionRule(name: variant.selection, parameters: variant.selectionParameters),
                storage: storage, toolVersion: toolVersion))
    }
}

extension BudgetRequest {
    /// `10 %`, `2.5 tokens` or `900000 bytes`, for table cells and names.
    var shortLabel: String {
        if let keptShare { return "\(Self.short(keptShare * 100)) %" }
        if let tokensPerCell { return "\(Self.short(tokensPerCell)) tokens" }
        return "\(bytes ?? 0) bytes"
    }

    private static func short(_ value: Double) -> String {
        let rounded = (value * 1e6).rounded() / 1e6
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
    }
}
