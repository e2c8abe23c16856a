import VernierCore

/// ScaleKV's budget files in short, as this repository keeps the released ones: for every model the drafters, Max and Min
/// of five scales, the name and the digest of the released file, and where it comes from.
///
/// ```
/// {"format": "vernier-scalekv-rows", "version": 1, "tables": [
///   {"model": "infinity-2b", "blocks": 32, "file": "2b_10%_budget.json", "sha256": "...", "origin": "...",
///    "rows": [{"scale": 9, "drafters": [0, 23], "max": 920, "min": 632}, ...]}, ...]}
/// ```
/// Scales count from 1, as in the released files.
struct ScaleKVRows {
    /// The format's name in commands.
    static let format = "scalekv-rows"

    /// The file that the rows are in short.
    let file: PeerFile
    /// Where it comes from.
    let origin: String

    /// Reads the table of `model` and writes it out as the file that it is in short, whose digest it must have.
    ///
    /// Throws ``VernierError/Code/malformedFile``, and ``VernierError/Code/mismatch`` if there is no such table or the
    /// digest is another.
    init(reading root: JSONCursor, model: String) throws {
        try root.requireOnly(keys: ["format", "tables", "version"])
        let format = try root.member("format"), version = try root.member("version")
        guard format.value == .string("vernier-scalekv-rows") else {
            throw format.error(expected: "\"vernier-scalekv-rows\"")
        }
        guard try version.integer() == 1 else {
            throw VernierError(
                .unsupportedVersion, at: version.place, expected: "version 1", found: version.value.summary)
        }
        let tables = try root.member("tables").elements()
        let names = try tables.map { try $0.member("model").string() }
        guard let index = names.firstIndex(of: model) else {
            throw VernierError(
                .mismatch, at: root.place, expected: "one of the models \(names.joined(separator: ", "))",
                found: JSONValue.quoted(model))
        }
        let table = tables[index]
        try table.requireOnly(keys: ["blocks", "file", "model", "origin", "rows", "sha256"])
        let budgets = try Self.budgets(table)
        file = try PeerFile(name: try table.member("file").string(), text: budgets.text)
        origin = try table.member("origin").string()
        let digest = try table.member("sha256").string()
        guard digest == file.digest else {
            throw VernierError(
                .mismatch, at: table.place, expected: "numbers of the file with SHA-256 \(digest.prefix(12))...",
                found: "\(file.digest.prefix(12))...", remedy: "The numbers were changed; correct them.")
        }
    }

    private static func budgets(_ table: JSONCursor) throws -> ScaleKVBudgets {
        let blocks = try table.member("blocks").integer(in: 1...1024)
        let rows = try table.member("rows").elements(count: ScaleKVBudgets.scales.count)
        return ScaleKVBudgets(
            rows: try zip(ScaleKVBudgets.scales, rows).map { scale, row in
                try row.requireOnly(keys: ["drafters", "max", "min", "scale"])
                _ = try row.member("scale").integer(in: (scale + 1)...(scale + 1))
                var drafters = [Bool](repeating: false, count: blocks)
                for block in try row.member("drafters").integers(in: 0...(blocks - 1)) { drafters[block] = true }
                return ScaleKVBudgets.Row(
                    drafters: drafters, most: try row.member("max").integer(in: 0...(1 << 30)),
                    least: try row.member("min").integer(in: 0...(1 << 30)))
            })
    }
}
