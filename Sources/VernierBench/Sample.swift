import VernierCore

/// One measurement: a case, one of the variants that are compared, and what it took.
struct Sample {
    /// What is measured, for example `512 rows, fc1 2048 -> 8192`.
    let name: String
    /// Which of the alternatives, for example `bfloat16`.
    let variant: String
    /// Wall-clock seconds.
    let seconds: Double
    /// Floating-point operations, a multiply-add counted as two; nil where they say nothing.
    var operations: Double?
    /// Bytes that must come from memory at least once; nil where they say nothing.
    var bytes: Double?

    var jsonValue: JSONValue {
        var object = JSONObject()
        object["case"] = .string(name)
        object["variant"] = .string(variant)
        object["seconds"] = .number(seconds)
        if let operations { object["operations"] = .number(operations) }
        if let bytes { object["bytes"] = .number(bytes) }
        return .object(object)
    }
}
