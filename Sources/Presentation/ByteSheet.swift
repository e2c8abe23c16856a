import Generation
import ProfileFormat
import VernierCore

/// What the cache of one picture takes: everything in each format, and what a profile keeps.
public struct ByteSheet: Sendable {
    private let plan: PicturePlan
    private let profile: (profile: Profile, name: String)?

    /// Prepares a plan, and a profile that fits it.
    public init(_ plan: PicturePlan, profile: Profile? = nil, profileName: String = "profile") {
        self.plan = plan
        self.profile = profile.map { ($0, profileName) }
    }

    /// A full cache in our formats, and as the official code stores it.
    private static func formats(_ cache: FullCache) -> [(name: String, bytes: Int)] {
        StorageFormat.knownNames.compactMap(StorageFormat.init(name:)).map { ($0.name, cache.bytes($0)) }
            + [("float32 keys, bfloat16 values, as released", cache.releasedBytes)]
    }

    /// The caches that are told apart.
    private var caches: [(meaning: String, key: String, cache: FullCache)] {
        [
            ("all scales, as the official code keeps them", "allScales", plan.releasedCache),
            ("without the last scale, which no other reads", "withoutLastScale", plan.fullCache),
        ]
    }

    /// The text, ending without a new line.
    public func text() -> String {
        let branches = plan.model.branches
        var lines = [
            "KV cache   bytes of one picture, \(branches) \(branches == 1 ? "branch" : "branches"), nothing evicted:"
        ]
        for (meaning, _, cache) in caches {
            lines.append("           \(cache.tokens) tokens a cell, \(meaning):")
            lines += TextTable.lines(
                Self.formats(cache).map { ["           ", "\($0.bytes)", Figures.bytes($0.bytes), $0.name] })
        }
        guard let (profile, name) = profile else { return lines.joined(separator: "\n") }
        let ledger = profile.residentPlan, budget = profile.realisedBudget
        let share = Double(ledger.residentBytes()) / Double(max(ledger.referenceFullCacheBytes(), 1))
        lines += [
            "profile    \(name): \(ledger.residentBytes()) bytes (\(Figures.bytes(ledger.residentBytes()))) predicted in "
                + "\(profile.storage), \(Figures.percent(share)) of a released cache without its last scale",
            "           \(budget.lastScaleSlots) slots at the last scale, \(Figures.percent(budget.keptShare)) of the tokens",
            "           \(profile.residentFormula)",
        ]
        return lines.joined(separator: "\n")
    }

    /// The same as JSON.
    public func json() -> JSONValue {
        var object = JSONObject()
        for (_, key, cache) in caches {
            var bytes = JSONObject()
            for format in StorageFormat.knownNames.compactMap(StorageFormat.init(name:)) {
                bytes[format.name] = .integer(Int64(cache.bytes(format)))
            }
            bytes["released"] = .integer(Int64(cache.releasedBytes))
            object[key] = ["tokensPerCell": .integer(Int64(cache.tokens)), "bytes": .object(bytes)]
        }
        if let (profile, name) = profile {
            object["profile"] = [
                "name": .string(name), "predictedResidentBytes": .integer(Int64(profile.residentBytes)),
                "lastScaleSlots": .integer(Int64(profile.realisedBudget.lastScaleSlots)),
            ]
        }
        return .object(object)
    }
}
