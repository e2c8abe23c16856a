import VernierCore

/// What a profile's capacities come to, at the last scale, where the history is longest.
public struct RealisedBudget: Sendable, Hashable {
    /// Slots when the last scale begins, over all branches, layers and heads.
    public let lastScaleSlots: Int
    /// `H_{K-1}`: the tokens per cell of a full cache, the denominator of ``keptShare``.
    public let fullHistoryTokens: Int
    /// ``lastScaleSlots`` divided by the number of cells times ``fullHistoryTokens``, 0 to 1; 0 without history.
    public let keptShare: Double
    /// ``lastScaleSlots`` divided by the number of cells.
    public let meanTokensPerCell: Double
    /// Predicted resident bytes for one image, all branches; see ``ResidentPlan``.
    public let residentBytes: Int

    /// Works out what `capacities` come to.
    ///
    /// - Precondition: `plan` is of these capacities and this schedule.
    public init(capacities: CellCapacities, schedule: ScaleSchedule, plan: ResidentPlan) {
        let cells = plan.branches * capacities.layerCount * capacities.headCount
        lastScaleSlots = plan.slotsByScale[schedule.scaleCount - 1]
        fullHistoryTokens = schedule.finalHistoryTokens
        meanTokensPerCell = Double(lastScaleSlots) / Double(cells)
        keptShare = fullHistoryTokens == 0 ? 0 : Double(lastScaleSlots) / Double(cells * fullHistoryTokens)
        residentBytes = plan.residentBytes()
    }

    private init(
        lastScaleSlots: Int, fullHistoryTokens: Int, keptShare: Double, meanTokensPerCell: Double, residentBytes: Int
    ) {
        self.lastScaleSlots = lastScaleSlots
        self.fullHistoryTokens = fullHistoryTokens
        self.keptShare = keptShare
        self.meanTokensPerCell = meanTokensPerCell
        self.residentBytes = residentBytes
    }

    /// What stands otherwise than in `other`: `other` is what was expected, this is what was found.
    func differences(from other: RealisedBudget) -> [String] {
        var differences: [String] = []
        func compare<Value: Equatable>(_ word: String, _ property: KeyPath<RealisedBudget, Value>) {
            guard self[keyPath: property] != other[keyPath: property] else { return }
            differences.append(
                "expected \(word) \(other[keyPath: property]) by the capacities, found \(self[keyPath: property])")
        }
        compare("lastScaleSlots", \.lastScaleSlots)
        compare("fullHistoryTokens", \.fullHistoryTokens)
        compare("keptShare", \.keptShare)
        compare("meanTokensPerCell", \.meanTokensPerCell)
        compare("residentBytes", \.residentBytes)
        return differences
    }

    var jsonValue: JSONValue {
        [
            "fullHistoryTokens": .integer(Int64(fullHistoryTokens)), "keptShare": .number(keptShare),
            "lastScaleSlots": .integer(Int64(lastScaleSlots)), "meanTokensPerCell": .number(meanTokensPerCell),
            "residentBytes": .integer(Int64(residentBytes)),
        ]
    }

    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: [
            "fullHistoryTokens", "keptShare", "lastScaleSlots", "meanTokensPerCell", "residentBytes",
        ])
        self.init(
            lastScaleSlots: try cursor.member("lastScaleSlots").integer(in: 0...Int.max),
            fullHistoryTokens: try cursor.member("fullHistoryTokens").integer(in: 0...Int.max),
            keptShare: try cursor.member("keptShare").number(in: 0...1),
            meanTokensPerCell: try cursor.member("meanTokensPerCell").number(in: 0...Double.greatestFiniteMagnitude),
            residentBytes: try cursor.member("residentBytes").integer(in: 0...Int.max))
    }
}
