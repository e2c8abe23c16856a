import ArgumentParser
import Generation
import ProfileCompiler
import ProfileFormat
import Refinement
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
    @Option(
        help: """
            Allocation policy: \(allocationPolicies.map(\.name).joined(separator: ", ")). \
            Default: rate-distortion, or scalekv for statistics without sketches.
            """)
    var policy: String?
    @Option(
        help: """
            Selection rule: \(SelectionRule.knownNames.joined(separator: ", ")). \
            Default: pooling-plan, or attention-mass for statistics without sketches.
            """)
    var selection: String?
    @Option(
        help: """
            Storage format of kept keys and values: \(StorageFormat.knownNames.joined(separator: ", ")), \
            or \(Compile.chosenStorage): what measured errors speak for (rate-distortion with a planned selection).
            """)
    var storage: String = StorageFormat.float32.name
    @Option(help: "Drafters N_d (scalekv, scalekv-linear): layer-scale pairs with the lowest selectivity.")
    var drafters: Int?
    @Option(help: "Attention selectivity index (scalekv, scalekv-linear): raw or normalised.")
    var asi: String?
    @Option(name: .customLong("set"), help: "Another parameter of the policy, name=value; repeatable.")
    var parameters: [String] = []
    @Option(name: .customLong("select-set"), help: "A parameter of the selection rule, name=value; repeatable.")
    var selectionParameters: [String] = []
    @Option(help: "Fit a pooling plan's numbers to this many prompts; needs --model and --prompts.")
    var refine: Int?
    @Option(help: "Model directory, for --refine.")
    var model: String?
    @Option(help: "Corpus the statistics are from, for --refine.")
    var prompts: String?
    @OptionGroup var progress: ProgressOption
    @Flag(help: "Say what was decided and why.")
    var explain = false

    /// The name that leaves the storage format to the compiler.
    private static let chosenStorage = "auto"

    func validate() throws {
        guard [keep != nil, tokens != nil, bytes != nil].filter({ $0 }).count == 1 else {
            throw ValidationError("Give exactly one budget: --keep 10%, --tokens N or --bytes 900KB.")
        }
        guard refine == nil || (model != nil && prompts != nil) else {
            throw ValidationError("--refine runs the model: give --model and --prompts too.")
        }
        if let refine, refine < 2 { throw ValidationError("--refine needs at least 2 prompts.") }
    }

    func run() throws {
        try requirePlace(forFile: out)
        var pairs = parameters
        if let drafters { pairs.append("drafters=\(drafters)") }
        if let asi { pairs.append("index=\(asi)") }
        let measured = try StatisticsFile.read(statistics)
        let request = CompilationRequest(
            policy: PolicyDescription(
                name: policy ?? CompilationRequest.defaultPolicyName(for: measured),
                parameters: try Parameters.parse(pairs)),
            budget: try budget(),
            selection: try SelectionRule(
                name: selection ?? CompilationRequest.defaultSelectionName(for: measured),
                parameters: try Parameters.parse(selectionParameters)),
            storage: try storageDemand(), toolVersion: VernierVersion.current)
        var profile = try compile(statistics: measured, request: request)
        if let refine, let model, let prompts {
            profile = try refined(profile, count: refine, model: model, prompts: prompts)
        }
        try profile.write(to: out)
        if explain { print(profile.explain()) }
        let budget = profile.realisedBudget
        print(
            "\(profile.policy.name) + \(profile.selection.name): \(budget.lastScaleSlots) slots, "
                + "\(Self.percent(budget.keptShare)) of \(budget.fullHistoryTokens) tokens, "
                + "\(budget.residentBytes) bytes in \(profile.storage) -> \(out)"
        )
    }

    private func storageDemand() throws -> StorageDemand {
        if storage == Self.chosenStorage { return .chosen }
        guard let format = CellStorage(name: storage) else {
            throw VernierError(
                .invalidArgument, at: "--storage",
                expected: "one of \(StorageFormat.knownNames.joined(separator: ", ")), \(Self.chosenStorage)",
                found: JSONValue.quoted(storage))
        }
        return .fixed(format)
    }

    private func refined(_ profile: Profile, count: Int, model path: String, prompts: String) throws -> Profile {
        let file = try Corpus(path: prompts), provenance = profile.provenance
        guard let corpus = file.drawn(digest: provenance.corpusDigest ?? "", count: provenance.promptCount) else {
            throw VernierError(
                .mismatch, at: prompts, expected: "the corpus of the statistics, \(provenance.corpusDigest ?? "none")",
                found: file.digest, remedy: "Refine with the corpus that was calibrated on.")
        }
        let refiner = try PlanRefiner(
            model: try ImageModel(path: path, schedule: ScheduleChoice(of: profile.schedule)),
            request: RefinementRequest(corpus: corpus, promptCount: count, seed: profile.provenance.seed ?? 0))
        let (refined, report) = try progress.run { try refiner.refine(profile, name: out, progress: $0) }
        print(
            "refined on \(count) prompts: held-out error \(Float(report.errorBefore)) -> \(Float(report.errorAfter)), "
                + "\(report.confirmedMaps) of \(report.fittedMaps) maps confirmed")
        return refined
    }

    private func budget() throws -> BudgetRequest {
        if let keep {
            return try .share(keep, option: "--keep", remedy: "Write the percent sign, or use --tokens.")
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
