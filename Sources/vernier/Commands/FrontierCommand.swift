import ArgumentParser
import CalibrationStatistics
import Evaluation
import Frontier
import Generation
import ProfileFormat
import Refinement
import StatisticsFile
import VernierCore

struct FrontierCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "frontier",
        abstract: "Measure every method at every budget: fidelity per byte, in one run that can be resumed.",
        discussion: "Methods:\n"
            + FrontierMethods.all(layers: 1, scales: 5).map { method in
                let variants = method.variants.count > 1 ? " Best of \(method.variants.count) variants." : ""
                return "\(method.name) - \(method.summary)\(variants)"
            }.joined(separator: "\n"))

    @Option(help: "Model directory.")
    var model: String
    @Option(help: "Statistics file (HDF5) that everything is compiled from.")
    var statistics: String
    @Option(help: "Held-out prompts as JSON lines; rows with a scene are scored if scenes.json lies beside the file.")
    var prompts: String
    @Option(
        help: "Result folder: frontier.md, .json, .svg, .png, profiles/; what is in candidates/ is not measured again.")
    var out: String
    @Option(help: "Use only the first N prompts.")
    var limit: Int?
    @Option(help: "Pictures per prompt: seeds first-seed ..< first-seed + N.")
    var seeds: Int = 2
    @Option(help: "The first seed.")
    var firstSeed: UInt64 = 0
    @Option(help: "Budgets, comma-separated: 10% (share), 64 (tokens per cell) or 900KB.")
    var budgets: String = "1%,2%,4%,6%,10%,20%,30%"
    @Option(help: "Methods, comma-separated (default: all).")
    var methods: String?
    @Option(help: "Storage formats, comma-separated; variants of a method are compared in the first.")
    var storage: String = "float32,int8"
    @Option(help: "Methods that are measured in all formats, comma-separated; others in the first only (default: all).")
    var narrow: String?
    @Option(help: "The method that others are compared with prompt by prompt.")
    var against: String?
    @Option(help: "Measure the forced-decoding divergence on the first N prompts; a candidate then runs twice.")
    var divergencePrompts: Int = 32
    @Option(help: "Compare a method's variants on the first N prompts; only the best is measured on all. 0: on all.")
    var variantPrompts: Int = 32
    @Option(help: "Fit refined plans to the first N prompts of --refine-prompts.")
    var refine: Int = 64
    @Option(help: "Corpus the statistics are from; without it refined plans are left out.")
    var refinePrompts: String?
    @Option(help: "Pictures drawn together; does not change the numbers.")
    var batch: Int = 8
    @Flag(help: "Say what would be measured and what cannot be, draw nothing.")
    var dryRun = false
    @OptionGroup var scenes: SceneOption
    @OptionGroup var schedule: ScheduleOptions
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var progress: ProgressOption

    func validate() throws {
        try requireAtLeast(1, seeds, option: "--seeds")
        try requireAtLeast(1, limit, option: "--limit")
        try requireAtLeast(1, batch, option: "--batch")
        try requireAtLeast(0, variantPrompts, option: "--variant-prompts")
        try requireAtLeast(2, refine, option: "--refine")
        try requireAtLeast(0, divergencePrompts, option: "--divergence-prompts")
        _ = try storages()
    }

    func run() throws {
        try requirePlace(forFolder: out)
        let corpus = try Corpus(path: prompts)
        let budgets = try Self.list(budgets).map(BudgetRequest.parse)
        let source = try StatisticsFile.read(statistics)
        let chosen = try FrontierMethods.named(
            methods.map(Self.list) ?? [], layers: source.identity.layers, scales: source.schedule.scaleCount)
        let loaded = try ImageModel(path: model, schedule: schedule.choice())
        let compared = against ?? (chosen.contains { $0.name == "scalekv-paper" } ? "scalekv-paper" : nil)
        let frontier = try Frontier(
            model: loaded, statistics: source,
            request: FrontierRequest(
                methods: chosen, budgets: budgets, storages: try storages(),
                narrowMethods: try narrowMethods(chosen),
                prompts: Array(corpus.prompts.prefix(limit ?? corpus.prompts.count)), corpusDigest: corpus.digest,
                seeds: (0..<UInt64(seeds)).map { firstSeed &+ $0 }, settings: try sampling.settings(for: loaded),
                vocabulary: try scenes.vocabulary(beside: prompts), batchSize: batch,
                divergencePrompts: divergencePrompts,
                variantPrompts: variantPrompts == 0 ? nil : variantPrompts,
                refinement: try refinement(source), comparedMethod: compared,
                toolVersion: VernierVersion.current))
        if dryRun {
            let (profiles, gaps) = frontier.plan()
            for (name, profile) in profiles { print("\(name): \(profile.residentBytes) bytes") }
            for gap in gaps { print("not run: \(gap.method) \(gap.budget) \(gap.storage): \(gap.reason)") }
            return
        }
        let report = try progress.run { try frontier.run(folder: out, progress: $0) }
        try FrontierFolder(path: out).write(report)
        print(try report.markdown())
    }

    private func narrowMethods(_ chosen: [FrontierMethod]) throws -> Set<String>? {
        guard let narrow else { return nil }
        let names = Set(Self.list(narrow)), known = Set(chosen.map(\.name))
        guard names.isSubset(of: known) else {
            throw VernierError(
                .invalidArgument, at: "--narrow", expected: "some of the methods that are measured",
                found: names.subtracting(known).sorted().map(JSONValue.quoted).joined(separator: ", "))
        }
        return names.union(known.filter { $0 == "full-cache" })
    }

    private func refinement(_ statistics: CalibrationStatistics) throws -> RefinementRequest? {
        guard let refinePrompts else { return nil }
        let corpus = try Corpus(path: refinePrompts)
        guard corpus.digest == statistics.corpus.digest else {
            throw VernierError(
                .mismatch, at: refinePrompts, expected: "the corpus of the statistics, \(statistics.corpus.digest)",
                found: corpus.digest, remedy: "Refine with the corpus that was calibrated on.")
        }
        return RefinementRequest(corpus: corpus, promptCount: refine, seed: statistics.settings.seed)
    }

    private func storages() throws -> [CellStorage] {
        try Self.list(storage).map { name in
            guard let format = CellStorage(name: name) else {
                throw ValidationError(
                    "--storage: expected some of \(StorageFormat.knownNames.joined(separator: ", ")), found '\(name)'.")
            }
            return format
        }
    }

    private static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }
}
