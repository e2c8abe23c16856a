import ArgumentParser
import Frontier
import Generation
import ProfileFormat
import StatisticsFile
import VernierCore

struct Rank: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whether predicted and measured distortion rank profiles alike.",
        discussion: """
            Draws random pooling plans, some of one budget and as many of random budgets, predicts each one's \
            distortion from the statistics, measures it on held-out prompts, and prints Spearman's rank correlation.
            """)

    @Option(help: "Model directory.")
    var model: String
    @Option(help: "Statistics file (HDF5) with sketches.")
    var statistics: String
    @Option(help: "Held-out prompts as JSON lines.")
    var prompts: String
    @Option(help: "Result folder: rank.md, rank.json, profiles/.")
    var out: String
    @Option(help: "Use only the first N prompts.")
    var limit: Int = 16
    @Option(help: "Pictures per prompt: seeds 0 ..< N.")
    var seeds: Int = 1
    @Option(help: "Profiles of one budget, and as many of random budgets.")
    var count: Int = 24
    @Option(help: "The one budget.")
    var keep: String = "10%"
    @Option(help: "The least random budget.")
    var least: String = "3%"
    @Option(help: "The largest random budget.")
    var most: String = "30%"
    @Option(help: "How far layers' weights are drawn apart: by up to 2^octaves either way.")
    var octaves: Double = 3
    @Option(help: "Seed of the random weights and budgets.")
    var seed: UInt64 = 0
    @Option(help: "Pictures drawn together; does not change the numbers.")
    var batch: Int = 8
    @OptionGroup var schedule: ScheduleOptions
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var progress: ProgressOption

    func validate() throws {
        try requireAtLeast(1, limit, option: "--limit")
        try requireAtLeast(1, seeds, option: "--seeds")
        try requireAtLeast(4, count, option: "--count")
        try requireAtLeast(1, batch, option: "--batch")
    }

    func run() throws {
        try requirePlace(forFolder: out)
        let share = try Self.share(keep, "--keep")
        let (least, most) = (try Self.share(least, "--least"), try Self.share(most, "--most"))
        guard least <= most else {
            throw VernierError(
                .invalidArgument, at: "--least", expected: "a share of at most --most, \(self.most)", found: self.least)
        }
        let corpus = try Corpus(path: prompts)
        let source = try StatisticsFile.read(statistics)
        let loaded = try ImageModel(path: model, schedule: schedule.choice())
        let trial = try RankTrial(
            model: loaded, statistics: source,
            request: RankRequest(
                count: count, share: share, shares: least...most, octaves: octaves, seed: seed,
                prompts: Array(corpus.prompts.prefix(limit)), corpusDigest: corpus.digest,
                pictureSeeds: (0..<UInt64(seeds)).map { $0 }, settings: try sampling.settings(for: loaded),
                batchSize: batch, toolVersion: VernierVersion.current))
        let report = try progress.run { try trial.run(progress: $0) }
        try RankFolder(path: out).write(report)
        print(try report.markdown())
    }

    private static func share(_ text: String, _ option: String) throws -> Double {
        guard let share = try BudgetRequest.parse(text).keptShare else {
            throw VernierError(
                .invalidArgument, at: option, expected: "a share such as 10%", found: JSONValue.quoted(text))
        }
        return share
    }
}
