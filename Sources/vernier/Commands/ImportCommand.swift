import ArgumentParser
import Checkpoints
import ProfileCompiler
import ProfileFormat
import VernierCore

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a profile of another project's file.",
        discussion: """
            scalekv-json  budgets/*.json of StargazerX0/ScaleKV
            scalekv-rows  the same numbers in short, as in Profiles/sources
            heatkv-order  orders/*.json of arm-research/heatkv, with --keep

            With --like the profile names an architecture and no weights, and says so wherever it is loaded: it fits every \
            model of that shape. With --model it names that model.
            """)

    @Argument(help: "The other project's file.")
    var file: String
    @Option(help: "What the file is: \(ImportCommand.formats.joined(separator: ", ")).")
    var from: String
    @Option(help: "A released model: \(ModelRelease.all.map(\.name).joined(separator: ", ")).")
    var like: String?
    @Option(help: "Model directory, instead of --like.")
    var model: String?
    @Option(help: "Profile to write (JSON).")
    var out: String
    @Option(help: "heatkv-order: budget as a share of the last scale's history, for example 10%.")
    var keep: String?
    @Flag(help: "heatkv-order: hold the budget when a scale begins, not after every layer's write.")
    var boundary = false
    @Option(help: "scalekv-json: selection rule (default: scalekv-compat, what the released code runs).")
    var selection: String?
    @Option(name: .customLong("select-set"), help: "A parameter of the selection rule, name=value; repeatable.")
    var selectionParameters: [String] = []
    @Option(help: "Storage format of kept keys and values: \(StorageFormat.knownNames.joined(separator: ", ")).")
    var storage: String = StorageFormat.float32.name
    @Option(help: "Where the file comes from, for the profile: repository, commit, paper.")
    var origin: String = ""
    @OptionGroup var schedule: ScheduleOptions

    static let formats = ["scalekv-json", "scalekv-rows", "heatkv-order"]

    func validate() throws {
        guard Self.formats.contains(from) else {
            throw ValidationError("--from: expected one of \(Self.formats.joined(separator: ", ")), found '\(from)'.")
        }
        guard (like == nil) != (model == nil) else { throw ValidationError("Give either --like NAME or --model DIR.") }
        guard (from == "heatkv-order") == (keep != nil) else {
            throw ValidationError(
                keep == nil
                    ? "heatkv-order needs a budget: --keep 10%." : "--keep: a budget file has its own budget.")
        }
        if from == "scalekv-rows", like == nil {
            throw ValidationError("scalekv-rows has tables of released models: give --like NAME.")
        }
        if boundary, from != "heatkv-order" { throw ValidationError("--boundary goes with heatkv-order.") }
        if selection == nil, !selectionParameters.isEmpty {
            throw ValidationError("--select-set goes with --selection.")
        }
    }

    func run() throws {
        try requirePlace(forFile: out)
        let target = try target()
        let imported: ImportedProfile
        switch from {
        case "scalekv-json": imported = try importScaleKVBudgets(contentsOf: file, target: target)
        case "scalekv-rows":
            imported = try importScaleKVRows(contentsOf: file, release: like ?? "", target: target)
        default:
            imported = try importHeatKVOrders(
                contentsOf: file, budget: BudgetRequest.share(keep ?? "", option: "--keep"), isStrict: !boundary,
                target: target)
        }
        try imported.profile.write(to: out)
        imported.warnings.forEach(printNote)
        if imported.profile.model.weightsDigest == nil {
            printNote("\(fileName(of: out)) names no weights: it fits every model of this architecture and schedule")
        }
        let budget = imported.profile.realisedBudget
        print(
            "\(imported.profile.policy.name) + \(imported.profile.selection.name) from \(fileName(of: file)): "
                + "\(budget.lastScaleSlots) slots, \(budget.residentBytes) bytes in \(imported.profile.storage) -> \(out)"
        )
    }

    private func target() throws -> ImportTarget {
        guard let format = CellStorage(name: storage) else {
            throw VernierError(
                .invalidArgument, at: "--storage",
                expected: "one of \(StorageFormat.knownNames.joined(separator: ", "))", found: JSONValue.quoted(storage)
            )
        }
        let (identity, grids) = try model.map(directory) ?? released()
        return ImportTarget(
            model: identity, schedule: grids,
            selection: try selection.map {
                try SelectionRule(name: $0, parameters: try Parameters.parse(selectionParameters))
            }, storage: format, origin: origin, toolVersion: VernierVersion.current)
    }

    private func directory(_ path: String) throws -> (ModelIdentity, ScaleSchedule) {
        let directory = try ModelDirectory(path: path, schedule: schedule.choice())
        return (try directory.identity(), directory.configuration.schedule)
    }

    private func released() throws -> (ModelIdentity, ScaleSchedule) {
        let configuration = try ModelRelease(named: like ?? "").configuration.choosing(schedule.choice())
        return (try configuration.architectureIdentity(), configuration.schedule)
    }
}
