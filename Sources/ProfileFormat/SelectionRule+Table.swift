import VernierCore

extension SelectionRule {
    /// The values a parameter of a rule may take.
    enum Domain: Sendable {
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case flag
        case choice([String])
        /// The text of a ``HeadSet``.
        case heads

        /// Whether a value is one of them.
        func admits(_ value: JSONValue) -> Bool {
            switch (self, value) {
            case (.integer(let range), .integer(let value)): Int(exactly: value).map(range.contains) ?? false
            case (.number(let range), .integer(let value)): range.contains(Double(value))
            case (.number(let range), .number(let value)): range.contains(value)
            case (.flag, .bool): true
            case (.choice(let names), .string(let name)): names.contains(name)
            case (.heads, .string(let text)): HeadSet(text: text) != nil
            default: false
            }
        }

        /// The values, for messages.
        var expectation: String {
            switch self {
            case .integer(let range) where range.upperBound == Int.max: "a whole number of at least \(range.lowerBound)"
            case .integer(let range): "a whole number from \(range.text)"
            case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
            case .flag: "true or false"
            case .choice(let names): "one of \(names.joined(separator: ", "))"
            case .heads: "hexadecimal digits, one group a layer, parted by dots"
            }
        }
    }

    /// One parameter of a rule, and its value if it is left out.
    typealias Parameter = (name: String, domain: Domain, standard: JSONValue)

    private static let window: Parameter = ("window", .integer(1...4096), 16)

    /// How scores are pooled over neighbours in cache order.
    private static func pooling(_ standard: JSONValue) -> [Parameter] {
        [("pooling", .choice(["none", "average", "max"]), standard), ("reach", .integer(0...31), 2)]
    }

    /// The rules, their parameters, and the values of those that are left out. A new rule is a row here.
    static let table: [(name: String, parameters: [Parameter])] = [
        ("attention-mass", [("valueNorm", .flag, false)]),
        (
            "attention-matching",
            [
                ("references", .integer(1...65_536), 256), ("ridge", .number(0...1e6), 0.001),
                ("score", .choice(["rms", "mean", "max"]), "rms"),
            ]
        ),
        ("cake", [("gamma", .number(0...1e9), 200), window]),
        ("h2o", []),
        (
            "hack",
            [
                ("initialScales", .integer(0...64), 2), ("observers", .integer(1...65_536), 32),
                ("structuralHeads", .heads, ""),
            ]
        ),
        ("observation-window", pooling("none") + [("keepsWindow", .flag, true), ("side", .integer(1...64), 4)]),
        ("oracle", [("horizon", .integer(1...64), 1), ("valueNorm", .flag, true)]),
        (
            "pooling-plan",
            [
                ("drops", .flag, false), ("keyWeight", .number(0...100), .number(standardKeyWeight)),
                ("massWeighted", .flag, true),
                ("refinedPrompts", .integer(0...1_000_000), 0), ("sharedBranches", .flag, true),
            ]
        ),
        ("position-plan", [("summary", .flag, false)]),
        ("random", [("seed", .integer(0...Int.max), 0)]),
        ("scale-blocks", []),
        ("scalekv-compat", pooling("max") + [("releasedSizes", .flag, false), window]),
        ("sink-recent", [("sinkScales", .integer(0...64), 3)]),
        ("sliding-window", []),
        ("snapkv", pooling("average") + [window]),
        ("spatial", []),
    ]

    /// The rules whose choice the compiler makes, as boundary maps in the profile.
    static let planned: Set<String> = ["pooling-plan", "position-plan", "scale-blocks", "spatial"]
}
