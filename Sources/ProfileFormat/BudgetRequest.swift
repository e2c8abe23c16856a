import VernierCore

/// A bound on the retained cache, in one of three units.
public struct BudgetRequest: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: Sendable, Hashable {
        case keptShare(Double)
        case tokensPerCell(Double)
        case bytes(Int)
    }
    private let kind: Kind

    /// A share (above 0, at most 1) of the full cache, that is of `H_{K-1}` tokens per cell.
    public static func keptShare(_ share: Double) -> BudgetRequest { BudgetRequest(kind: .keptShare(share)) }
    /// A mean number of tokens per cell, above 0.
    public static func tokensPerCell(_ tokens: Double) -> BudgetRequest { BudgetRequest(kind: .tokensPerCell(tokens)) }
    /// Predicted resident bytes for one image, all branches, at least 1.
    public static func bytes(_ bytes: Int) -> BudgetRequest { BudgetRequest(kind: .bytes(bytes)) }

    /// The share asked for; nil if the budget is in another unit.
    public var keptShare: Double? { if case .keptShare(let share) = kind { share } else { nil } }
    /// The mean tokens per cell asked for; nil if the budget is in another unit.
    public var tokensPerCell: Double? { if case .tokensPerCell(let tokens) = kind { tokens } else { nil } }
    /// The bytes asked for; nil if the budget is in another unit.
    public var bytes: Int? { if case .bytes(let bytes) = kind { bytes } else { nil } }

    /// The budget for people, for example `10.0 % of the full cache`.
    public var description: String {
        switch kind {
        case .keptShare(let share): "\(Self.percentage(share)) % of the full cache"
        case .tokensPerCell(let tokens): "\(tokens) tokens per cell"
        case .bytes(let bytes): "\(bytes) bytes"
        }
    }

    /// Throws ``VernierError/Code/invalidArgument`` if the number is not finite or out of its range.
    public func validate() throws {
        switch kind {
        case .keptShare(let share):
            guard share > 0, share <= 1 else {
                throw Self.failure(
                    "budget", "a share above 0 % and at most 100 %", "\(Self.percentage(share)) %",
                    "100 % keeps the whole cache.")
            }
        case .tokensPerCell(let tokens):
            guard tokens > 0, tokens <= Self.largestTokens else {
                throw Self.failure(
                    "budget", "more than 0 and at most \(Int(Self.largestTokens)) tokens per cell", "\(tokens)", "")
            }
        case .bytes(let bytes):
            guard bytes > 0, Double(bytes) <= Self.largestBytes else {
                throw Self.failure("budget", "from 1 byte to 8192 TiB", "\(bytes) bytes", "")
            }
        }
    }

    /// The slots this budget buys among `cells` cells, `floor(tokens per cell * cells)`; nil if it is in bytes.
    ///
    /// A kept share counts `H_{K-1}` tokens per cell. Products that miss a whole number by rounding only, such as
    /// `0.1 * 650`, count as whole. Budgets beyond the full cache give the full cache.
    public func slots(schedule: ScaleSchedule, cells: Int) -> Int? {
        let fullTokens = Double(schedule.finalHistoryTokens)
        guard let tokens = tokensPerCell ?? keptShare.map({ $0 * fullTokens }), tokens >= 0 else { return nil }
        let product = min(tokens, fullTokens) * Double(cells)
        let nearest = product.rounded()
        return Int(abs(nearest - product) <= 4 * product.ulp ? nearest : product.rounded(.down))
    }

    /// Reads `10%` (share of the full cache), `64` or `2.5` (mean tokens per cell), `900KB` (bytes).
    ///
    /// Units of bytes are B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024), in any case; a
    /// space may stand before the unit; parts of a byte are dropped. Throws ``VernierError/Code/invalidArgument``.
    public static func parse(_ text: String) throws -> BudgetRequest {
        let place = "budget \(JSONValue.quoted(text))"
        let digits = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        var unit = text[digits.endIndex...]
        while unit.first == " " { unit = unit.dropFirst() }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let isNumber = parts.count <= 2 && parts.allSatisfy { !$0.isEmpty } && digits.utf8.count <= 30
        guard isNumber, let number = Double(digits) else {
            throw failure(place, "a number with a unit", text.isEmpty ? "nothing" : "something else", examples)
        }
        let request: BudgetRequest
        switch unit.lowercased() {
        case "%": request = .keptShare(number / 100)
        case "": request = .tokensPerCell(number)
        case let unit:
            guard let (_, factor) = byteUnits.first(where: { $0.name == unit }) else {
                throw failure(
                    place, "no unit, % or one of B, KB, KiB, MB, MiB, GB, GiB, TB, TiB",
                    JSONValue.quoted(String(text[digits.endIndex...])), examples)
            }
            let bytes = (number * factor).rounded(.down)
            guard bytes >= 1, bytes <= largestBytes else {
                throw failure(place, "from 1 byte to 8192 TiB", "\(bytes) bytes", examples)
            }
            request = .bytes(Int(bytes))
        }
        do {
            try request.validate()
        } catch let error as VernierError {
            throw VernierError(.invalidArgument, at: place, problems: error.problems, remedy: examples)
        }
        return request
    }

    private static let examples = "Write 10% for a share of the full cache, 64 for tokens per cell, or 900KB for bytes."
    private static let byteUnits: [(name: String, factor: Double)] = [
        ("b", 1), ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("kib", 1024), ("mib", 1_048_576),
        ("gib", 1_073_741_824), ("tib", 1_099_511_627_776),
    ]
    /// More tokens than any schedule has.
    private static let largestTokens = 0x1p40
    /// Whole numbers up to here are exact in a Double.
    private static let largestBytes = 0x1p53

    private static func percentage(_ share: Double) -> Double {
        let percentage = share * 100
        let rounded = (percentage * 1e6).rounded() / 1e6
        return abs(rounded - percentage) < 1e-9 ? rounded : percentage
    }

    private static func failure(_ place: String, _ expected: String, _ found: String, _ remedy: String)
        -> VernierError
    {
        VernierError(.invalidArgument, at: place, expected: expected, found: found, remedy: remedy)
    }
}

extension BudgetRequest {
    var jsonValue: JSONValue {
        switch kind {
        case .keptShare(let share): ["keptShare": .number(share)]
        case .tokensPerCell(let tokens): ["tokensPerCell": .number(tokens)]
        case .bytes(let bytes): ["bytes": .integer(Int64(bytes))]
        }
    }

    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["keptShare", "tokensPerCell", "bytes"])
        guard try cursor.object().count == 1 else {
            throw cursor.error(expected: "one of the members keptShare, tokensPerCell, bytes")
        }
        if let share = try cursor.optionalMember("keptShare") {
            self = .keptShare(try share.number())
        } else if let tokens = try cursor.optionalMember("tokensPerCell") {
            self = .tokensPerCell(try tokens.number())
        } else {
            self = .bytes(try cursor.member("bytes").integer())
        }
        do {
            try validate()
        } catch let error as VernierError {
            throw VernierError(.malformedFile, at: cursor.place, problems: error.problems)
        }
    }
}
