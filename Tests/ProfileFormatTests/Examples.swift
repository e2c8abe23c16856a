import VernierCore

@testable import ProfileFormat

/// Small valid values that tests change.
enum Examples {
    static let digest = String(repeating: "0123456789abcdef", count: 4)

    static func schedule(_ sides: [Int]) throws -> ScaleSchedule {
        try ScaleSchedule(
            grids: sides.map { ScaleSchedule.Grid(height: $0, width: $0) },
            ropeGrid: ScaleSchedule.Grid(height: 64, width: 64))
    }

    static func model(
        family: String = "infinity", name: String = "tiny", branches: Int = 2, layers: Int = 3, heads: Int = 2,
        headWidth: Int = 16, shapeDigest: String = digest, weightsDigest: String? = digest
    ) throws -> ModelIdentity {
        try ModelIdentity(
            family: family, name: name, branches: branches, layers: layers, heads: heads, headWidth: headWidth,
            shapeDigest: shapeDigest, weightsDigest: weightsDigest)
    }

    /// Histories 0 1 5 14; 9 of 14 tokens kept at the last scale, unevenly.
    static func capacities() -> CellCapacities {
        var table = CellCapacities(branchCount: 1, scaleCount: 4, layerCount: 3, headCount: 2)
        let rows = [[0, 0, 0], [1, 1, 1], [5, 5, 5], [14, 8, 5]]
        for (scale, row) in rows.enumerated() {
            for (layer, tokens) in row.enumerated() {
                for head in 0..<2 { table[0, scale, layer, head] = tokens }
            }
        }
        table[0, 3, 1, 0] = 9
        table[0, 3, 1, 1] = 7
        return table
    }

    static func provenance() -> Provenance {
        Provenance(
            toolVersion: "0.1.0", statisticsDigest: digest, corpusDigest: digest, promptCount: 8, seed: UInt64.max)
    }

    static func profile(budget: BudgetRequest = .tokensPerCell(9), capacities: CellCapacities? = nil) throws
        -> Profile
    {
        let drafting: [LayerRole] = [.drafter, .refiner, .refiner]
        let none = [LayerRole](repeating: .unassigned, count: 3)
        return try Profile(
            model: model(), schedule: schedule([1, 2, 3, 4]),
            policy: PolicyDescription(name: "scalekv", parameters: ["floor": 3, "index": "raw"]),
            selection: .attentionMass(), storage: .float32, requestedBudget: budget,
            capacities: capacities ?? self.capacities(), roles: [none, none, none, drafting],
            provenance: provenance())
    }
}
