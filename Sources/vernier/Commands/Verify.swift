import ArgumentParser
import CalibrationStatistics
import Generation
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import VernierCore

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a profile: its invariants, and that it belongs to a model and to statistics.")

    @Argument(help: "Profile (JSON).")
    var profile: String
    @Option(help: "Model directory that the profile must fit.")
    var model: String?
    @Option(help: "Statistics that the profile must have been compiled from.")
    var statistics: String?
    @OptionGroup var schedule: ScheduleOptions

    func run() throws {
        let name = fileName(of: profile)
        let loaded = try Profile(contentsOf: profile)
        print("\(name): format and invariants hold")
        if let model {
            let loadedModel = try ImageModel(path: model, schedule: schedule.choice())
            try loaded.requireFit(model: loadedModel.identity, schedule: loadedModel.schedule, name: name)
            print("\(name): fits the model \(loadedModel.identity.name)")
            loaded.fitCaveat(name: name).map(printNote)
        }
        if let statistics {
            let source = try StatisticsFile.read(statistics)
            try loaded.requireFit(model: source.identity, schedule: source.schedule, name: name)
            try requireSameSource(loaded, source.contentDigest(), name: name, statistics: fileName(of: statistics))
            let again = try compile(
                statistics: source,
                request: CompilationRequest(
                    policy: loaded.policy, budget: loaded.requestedBudget, selection: loaded.selection,
                    storage: loaded.storage, toolVersion: loaded.provenance.toolVersion))
            // Evidence is no part of what is compiled.
            guard try again.contentDigest() == loaded.contentDigest() else {
                throw VernierError(
                    .mismatch, at: name, problems: ["compiling the statistics again gives other capacities"],
                    remedy:
                        "The profile was edited by hand or compiled by another version (\(loaded.provenance.toolVersion))."
                )
            }
            print("\(name): compiled from \(fileName(of: statistics)), and compiles to the same again")
        }
    }

    private func requireSameSource(_ profile: Profile, _ digest: String, name: String, statistics: String) throws {
        guard let expected = profile.provenance.statisticsDigest else {
            throw VernierError(
                .mismatch, at: name, expected: "a profile that was compiled from statistics",
                found: "one that was imported from \(profile.provenance.source?.fileName ?? "a file")",
                remedy: "Leave --statistics out.")
        }
        guard expected == digest else {
            throw VernierError(
                .mismatch, at: name,
                expected: "statistics with digest \(expected.prefix(12))...",
                found: "\(digest.prefix(12))... in \(statistics)", remedy: "Compile the profile from these statistics.")
        }
    }
}
