import ProfileFormat
import VernierCore

/// What was asked for and could not be run, and why.
public struct FrontierGap: Sendable, Hashable {
    /// The method.
    public let method: String
    /// The method's variant; empty if it has one only.
    public let variant: String
    /// The budget.
    public let budget: BudgetRequest
    /// The storage format.
    public let storage: CellStorage
    /// The refusal in the words of the compiler or the runtime.
    public let reason: String

    init(_ task: FrontierTask, _ error: VernierError) {
        method = task.method.name
        variant = task.variant.label
        budget = task.budget
        storage = task.storage
        reason = error.description
    }

    var json: JSONValue {
        [
            "method": .string(method), "variant": .string(variant), "budget": .string(budget.shortLabel),
            "storage": .string(storage.name), "reason": .string(reason),
        ]
    }
}
