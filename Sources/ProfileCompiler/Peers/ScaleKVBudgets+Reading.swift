import ProfileFormat
import VernierCore

extension ScaleKVBudgets {
    /// The largest number of a file: more tokens than any schedule has.
    private static let mostTokens = 1 << 30
    /// More blocks than any model has.
    private static let mostBlocks = 1024

    /// Reads a file's text.
    ///
    /// `warnings` gets what contradicts itself without consequence. Throws ``VernierError/Code/malformedFile`` for a scale
    /// that is missing or unknown, blocks that are not numbered from 0 without a gap, numbers other than 0 and 1 for a
    /// block, a Max below Min, and a High that does not count the drafters.
    init(reading root: JSONCursor, warnings: inout [String]) throws {
        try root.requireOnly(keys: Self.scales.map(Self.name))
        var rows: [Row] = []
        for scale in Self.scales {
            let cursor = try root.member(Self.name(scale: scale))
            let row = try Self.row(cursor)
            if let first = rows.first, row.drafters.count != first.drafters.count {
                throw cursor.error(
                    expected: "\(first.drafters.count) blocks as in \(Self.name(scale: Self.scales.lowerBound))",
                    found: "\(row.drafters.count)")
            }
            rows.append(row)
        }
        self.init(rows: rows)
        for (scale, limit) in zip(Self.scales, limits) {
            let cursor = try root.member(Self.name(scale: scale))
            guard let stated = try cursor.optionalMember("Limit") else { continue }
            let number = try stated.integer(in: 0...Self.mostTokens)
            if number != limit {
                warnings.append(
                    "\(stated.place): \(limit) by the other numbers, \(number) in the file; it has no effect")
            }
        }
    }

    private static func row(_ cursor: JSONCursor) throws -> Row {
        let blocks = try cursor.object().keys.count { $0.hasPrefix("Block ") }
        guard (1...mostBlocks).contains(blocks) else {
            throw cursor.error(expected: "1 to \(mostBlocks) blocks", found: "\(blocks)")
        }
        let names = (0..<blocks).map { "Block \($0)" }
        try cursor.requireOnly(keys: names + ["High", "Max", "Min", "Limit"])
        let drafters = try names.map { try cursor.member($0).integer(in: 0...1) == 1 }
        let least = try cursor.member("Min").integer(in: 0...mostTokens)
        let most = try cursor.member("Max").integer(in: 0...mostTokens)
        guard most >= least else {
            throw try cursor.member("Max").error(expected: "at least Min, \(least)", found: "\(most)")
        }
        let count = drafters.count { $0 }
        if let high = try cursor.optionalMember("High"), try high.integer() != count {
            throw high.error(expected: "the number of blocks with 1, \(count)")
        }
        return Row(drafters: drafters, most: most, least: least)
    }
}
