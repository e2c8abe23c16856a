import ArgumentParser
import Evaluation
import Generation
import ProfileFormat
import VernierCore

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval", abstract: "Measure profiles against the full cache on the same prompts and seeds.")

    @Option(help: "Model directory.")
    var model: String
    @Option(help: "Held-out prompts as JSON lines; rows with a scene are scored if scenes.json lies beside the file.")
    var prompts: String
    @Option(help: "Profile to measure; repeatable.")
    var profile: [String]
    @Option(help: "Pictures per prompt: seeds first-seed ..< first-seed + N.")
    var seeds: Int = 1
    @Option(help: "The first seed.")
    var firstSeed: UInt64 = 0
    @Option(help: "Use only the first N prompts.")
    var limit: Int?
    @Option(help: "Pictures drawn together.")
    var batch: Int = 4
    @Option(help: "Add a row of differences under each profile's pictures, enlarged by this factor, for example 4.")
    var amplify: Int?
    @Option(help: "Result folder: report.md, report.json, settings.json, contact-sheet.png.")
    var out: String
    @Flag(help: "Write the figures into the profiles' files as evidence; replaces earlier evidence.")
    var attach = false
    @Flag(help: "Print the report as JSON instead of the table.")
    var json = false
    @OptionGroup var scenes: SceneOption
    @OptionGroup var schedule: ScheduleOptions
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var progress: ProgressOption

    func validate() throws {
        try requireAtLeast(1, seeds, option: "--seeds")
        try requireAtLeast(1, limit, option: "--limit")
        try requireAtLeast(1, batch, option: "--batch")
        if let amplify, !(1...255).contains(amplify) {
            throw ValidationError("--amplify: expected a whole number from 1 to 255, found \(amplify).")
        }
        if profile.isEmpty { throw ValidationError("Give at least one --profile.") }
    }

    func run() throws {
        try requirePlace(forFolder: out)
        if attach { try profile.forEach(requirePlace(forFile:)) }
        let corpus = try Corpus(path: prompts)
        let candidates = try profile.map { path in
            EvaluationRequest.Candidate(name: Self.stem(path), profile: try Profile(contentsOf: path))
        }
        let loaded = try ImageModel(path: model, schedule: schedule.choice())
        for (path, candidate) in zip(profile, candidates) {
            try candidate.profile.requireFit(
                model: loaded.identity, schedule: loaded.schedule, name: fileName(of: path))
            candidate.profile.fitCaveat(name: fileName(of: path)).map(printNote)
        }
        let evaluator = try Evaluator(
            model: loaded,
            request: EvaluationRequest(
                candidates: candidates, prompts: Array(corpus.prompts.prefix(limit ?? corpus.prompts.count)),
                seeds: (0..<UInt64(seeds)).map { firstSeed &+ $0 }, settings: try sampling.settings(for: loaded),
                vocabulary: try scenes.vocabulary(beside: prompts), batchSize: batch,
                differenceAmplification: amplify, comparedRow: candidates.last?.name))
        let result = try progress.run { try evaluator.run(progress: $0) }
        try ResultFolder(path: out).write(result.report, contactSheet: result.contactSheet)
        if attach {
            for (path, candidate) in zip(profile, candidates) {
                let evidence = try result.report.evidence(
                    row: candidate.name, profile: candidate.profile, corpus: corpus,
                    settings: try sampling.settings(for: loaded), toolVersion: VernierVersion.current)
                try candidate.profile.attaching(evidence).write(to: path)
            }
        }
        print(try json ? result.report.json().canonicalText() : result.report.markdown())
    }

    /// `Profiles/tangram-10.json` -> `tangram-10`.
    private static func stem(_ path: String) -> String {
        let name = fileName(of: path)
        return name.hasSuffix(".json") ? String(name.dropLast(5)) : name
    }
}
