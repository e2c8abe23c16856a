import ProfileFormat
import VernierCore

/// The budget file of ScaleKV's released code (arXiv 2505.19602, StargazerX0/ScaleKV: `budgets/*.json`): how many tokens
/// each block holds when one of the last five scales begins.
///
/// ```
/// {"Scale 9": {"Block 0": 1, "Block 1": 0, ..., "High": 2, "Max": 920, "Min": 632, "Limit": 921}, ..., "Scale 13": {...}}
/// ```
/// A block with 1 (a drafter) holds Max, one with 0 (a refiner) Min. High is the number of drafters and Limit the most
/// that a drafter could hold; the released code reads neither. Scales count from 1 there and from 0 here.
///
/// The released code has this schedule's sizes built in, so the file is of 1:1 at 1M only. It compresses nothing before
/// the scale called 9.
struct ScaleKVBudgets: Sendable, Hashable {
    /// One scale.
    struct Row: Sendable, Hashable {
        /// Which blocks are drafters.
        var drafters: [Bool]
        /// Tokens of a drafter.
        var most: Int
        /// Tokens of a refiner.
        var least: Int

        /// Tokens of a block.
        func tokens(_ block: Int) -> Int { drafters[block] ? most : least }
    }

    /// The format's name in commands and profiles.
    static let format = "scalekv-json"
    /// The scales that have a row, from 0.
    static let scales = 8..<13
    /// The schedule that the released code has built in.
    static let schedule = InfinitySchedule(resolution: .full).schedule
    /// The observation window of the released calls: a smaller budget crashes the released code.
    static let window = 16

    /// One row for each of ``scales``, all of as many blocks.
    let rows: [Row]

    /// The blocks of the model.
    var blocks: Int { rows[0].drafters.count }

    /// Takes rows.
    ///
    /// - Precondition: there is one row for each of ``scales``, all of as many blocks, at least one.
    init(rows: [Row]) {
        precondition(rows.count == Self.scales.count, "there is one row for each scale")
        precondition(
            !rows[0].drafters.isEmpty && rows.allSatisfy { $0.drafters.count == rows[0].drafters.count },
            "all rows are of as many blocks")
        self.rows = rows
    }

    /// What a scale is called in a file.
    static func name(scale: Int) -> String { "Scale \(scale + 1)" }

    /// The most that a drafter could hold at each of ``scales``: the history of the first, then what the drafters of the
    /// scale before hold and its tokens.
    var limits: [Int] {
        [Self.schedule.historyTokens(Self.scales.lowerBound)]
            + zip(Self.scales, rows).dropLast().map { $1.most + Self.schedule.tokenCount($0) }
    }

    /// How to call the released code with these budgets. Its base capacity must lie between the histories of the scales
    /// called 8 and 9: a smaller one makes it read a row that it does not have, a larger one skip the first that it has.
    var usage: String {
        let first = Self.scales.lowerBound, last = rows[rows.count - 1]
        let mean = (0..<blocks).reduce(0) { $0 + last.tokens($1) } / blocks
        let base = min(max(mean, Self.schedule.historyTokens(first - 1)), Self.schedule.historyTokens(first) - 1)
        return "enable_scale_kv(model, window_size=\(Self.window), max_capacity=\(base), kernel_size=5, "
            + "pooling='maxpool')"
    }

    /// The file, to the byte as the released ones are written: two spaces a level, no new line at the end.
    var text: String {
        let scales = zip(Self.scales, zip(rows, limits)).map { scale, content in
            let (row, limit) = content
            let members =
                row.drafters.enumerated().map { ("Block \($0)", $1 ? 1 : 0) }
                + [("High", row.drafters.count { $0 }), ("Max", row.most), ("Min", row.least), ("Limit", limit)]
            return "  \"\(Self.name(scale: scale))\": {\n"
                + members.map { "    \"\($0)\": \($1)" }.joined(separator: ",\n") + "\n  }"
        }
        return "{\n" + scales.joined(separator: ",\n") + "\n}"
    }
}
