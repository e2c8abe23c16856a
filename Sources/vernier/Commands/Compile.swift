import ArgumentParser
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import VernierCore

struct Compile: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn statistics and a budget into a profile.",
        discussion: "Policies: "
            + allocationPolicies.map { policy in
                let parameters = policy.parameters.map { "\($0.name) (\($0.meaning))" }.joined(separator: "; ")
                return "\(policy.name) - \(policy.summary)\(parameters.isEmpty ? "" : " Parameters: \(parameters).")"
            }.joined(separator: "\n"))

    @Argument(help: "Statistics file (HDF5).")
    var statistics: String
    @Option(help: "Profile to write (JSON).")
    var out: String
    @Option(help: "Budget as a share of the last scale's history, for example 10%.")
    var keep: String?
    @Option(help: "Budget as mean tokens per cell.")
    var tokens: Double?
    @Option(help: "Budget in bytes for one picture, all branches, for example 900KB.")
    var bytes: String?
    @Option(help: "Allocation policy: \(allocationPolicies.map(\.name).joined(separator: ", ")).")
    var policy: String = "scalekv"
    @Option(help: "Selection rule: \(SelectionRule.knownNames.joined(separator: ", ")).")
    var selection: String = "attention-mass"
    @Option(help: "Storage format of kept keys and values: \(StorageFormat.knownNames.joined(separator: ", ")).")
    var storage: String = StorageFormat.float32.name
    @Option(help: "Drafters N_d (scalekv, scalekv-linear): layer-scale pairs with the lowest selectivity.")
    var drafters: Int?
    @Option(help: "Attention selectivity index (scalekv, scalekv-linear): raw or normalised.")
    var asi: String?
    @Option(name: .customLong("set"), help: "Another parameter of the policy, name=value; repeatable.")
    var parameters: [String] = []
    @Option(name: .customLong("select-set"), help: "A parameter of the selection rule, name=value; repeatable.")
    var selectionParameters: [String] = []
    @Flag(help: "Say what was decided and why.")
    var explain = false

    func validate() throws {
        guard [keep != nil, tokens != nil, bytes != nil].filter({ $0 }).count == 1 else {
            throw ValidationError("Give exactly one budget: --keep 10%, --tokens N or --bytes 900KB.")
        }
    }

    func run() throws {
        try requirePlace(forFile: out)
        var pairs = parameters
        if let drafters { pairs.append("drafters=\(drafters)") }
        if let asi { pairs.append("index=\(asi)") }
        let request = CompilationRequest(
            policy: PolicyDescription(name: policy, parameters: try Parameters.parse(pairs)), budget: try budget(),
            selection: try SelectionRule(name: selection, parameters: try Parameters.parse(selectionParameters)),
            storage: try cellStorage(), toolVersion: VernierVersion.current)
        let profile = try compile(statistics: try StatisticsFile.read(statistics), request: request)
        try profile.write(to: out)
        if explain { print(profile.explain()) }
        let budget = profile.realisedBudget
        print(
            "\(profile.policy.name) + \(profile.selection.name): \(budget.lastScaleSlots) slots, "
                + "\(Self.percent(budget.keptShare)) of \(budget.fullHistoryTokens) tokens, \(budget.residentBytes) bytes -> \(out)"
        )
    }

    private func cellStorage() throws -> CellStorage {
        guard let format = CellStorage(name: storage) else {
            throw VernierError(
                .invalidArgument, at: "--storage",
                expected: "one of \(StorageFormat.knownNames.joined(separator: ", "))",
                found: JSONValue.quoted(storage))
        }
        return format
    }

    private func budget() throws -> BudgetRequest {
        if let keep {
            // A bare number would read as tokens.
            guard keep.hasSuffix("%") else {
                throw VernierError(
                    .invalidArgument, at: "--keep", expected: "a share such as 10%", found: JSONValue.quoted(keep),
                    remedy: "Write the percent sign, or use --tokens.")
            }
            return try BudgetRequest.parse(keep)
        }
        if let tokens { return .tokensPerCell(tokens) }
        let text = bytes ?? ""
        // A bare number is bytes here; the parser alone would read it as tokens.
        let budget = try Int(text).map { BudgetRequest.bytes($0) } ?? BudgetRequest.parse(text)
        guard budget.bytes != nil else {
            throw VernierError(
                .invalidArgument, at: "--bytes", expected: "bytes such as 900KB or 921600",
                found: JSONValue.quoted(text), remedy: "Use --keep for a share, --tokens for tokens per cell.")
        }
        return budget
    }

    private static func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
}
