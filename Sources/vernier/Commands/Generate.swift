import ArgumentParser
import Evaluation
import Foundation
import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import VernierCore

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw pictures, with the full cache or with what a profile keeps.")

    @Option(help: "Model directory.")
    var model: String
    @Option(help: "The text to draw.")
    var prompt: String?
    @Option(help: "What guidance leads away from, for prompts that bring no negative_prompt (default: no text).")
    var negativePrompt: String?
    @Option(name: .customLong("class"), help: "The class to draw, 0-based, for a class-conditional model.")
    var imageClass: Int?
    @Option(
        help: "Prompts as JSON lines, {\"prompt\": \"...\"}, with \"negative_prompt\" if wanted, or {\"class\": 207}.")
    var prompts: String?
    @Option(help: "Profile to generate with (default: the full cache).")
    var profile: String?
    @Option(help: "Seed; pictures of one seed share their noise.")
    var seed: UInt64 = 0
    @Option(help: "Pictures drawn together.")
    var batch: Int = 1
    @Option(help: "Draw only the first N prompts.")
    var limit: Int?
    @Option(help: "A .png file for one prompt, or a folder.")
    var out: String
    @Option(help: "Write bytes, kept tokens and times as JSON.")
    var report: String?
    @Flag(help: "Print the bytes and the operations, draw nothing, load no weights.")
    var dryRun = false
    @OptionGroup var schedule: ScheduleOptions
    @Flag(help: "Decode mixtures of codes in place of drawn ones, for smoother pictures (VAR).")
    var moreSmooth = false
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var progress: ProgressOption

    func validate() throws {
        guard [prompt != nil, imageClass != nil, prompts != nil].count(where: { $0 }) == 1 else {
            throw ValidationError("Give either --prompt TEXT or --prompts FILE.jsonl, or --class N.")
        }
        if prompts != nil, out.hasSuffix(".png") {
            throw ValidationError("--out: expected a folder for --prompts, found '\(out)'.")
        }
        if negativePrompt?.isEmpty == true { throw ValidationError("--negative-prompt: expected a text, found none.") }
        if imageClass != nil, negativePrompt != nil {
            throw ValidationError("--negative-prompt is for texts, --class has none.")
        }
        try requireAtLeast(1, batch, option: "--batch")
        try requireAtLeast(1, limit, option: "--limit")
    }

    func run() throws {
        if out.hasSuffix(".png") { try requirePlace(forFile: out) } else { try requirePlace(forFolder: out) }
        try report.map(requirePlace(forFile:))
        let subject = imageClass.map { CorpusPrompt.Subject.imageClass($0) } ?? .text(prompt ?? "")
        let corpus = try prompts.map { try Corpus(path: $0).prompts } ?? [CorpusPrompt(index: 0, subject: subject)]
        let selected = corpus.prefix(limit ?? corpus.count).map { $0.leading(awayFrom: negativePrompt) }
        if dryRun { return try printPlan(selected) }
        let loaded = try ImageModel(path: model, schedule: schedule.choice())
        let generator = try ImageGenerator(
            model: loaded, profile: try profile.map { try Profile(contentsOf: $0) },
            profileName: profile.map(fileName) ?? "profile")
        generator.profile?.fitCaveat(name: profile.map(fileName) ?? "profile").map(printNote)
        try loaded.requireKnown(selected)
        var settings = try sampling.settings(for: loaded)
        settings.mixesCodes = moreSmooth
        let requests = try selected.map { try loaded.request(for: $0, seed: seed) }
        let images = try progress.run {
            try generator.generate(requests, settings: settings, batchSize: batch, progress: $0)
        }
        if out.hasSuffix(".png") {
            try PNGFile.write(images[0].picture, to: out)
        } else {
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
            for (prompt, image) in zip(selected, images) {
                try PNGFile.write(image.picture, to: "\(out)/\(Self.name(prompt.index)).png")
            }
        }
        guard let measured = generator.report else { return }
        if let report {
            let tokens = try loaded.directory.mostTextTokens(selected.suffix(measured.images))
            let work = StageWork(
                try loaded.directory.picturePlan(textTokens: tokens), report: measured,
                weightBytes: loaded.network.stack.weightBytes)
            let json: JSONValue = [
                "format": "vernier-generation", "version": 1, "tool": .string(VernierVersion.current),
                "model": loaded.identity.jsonValue, "schedule": loaded.schedule.jsonValue,
                "profile": profile.map { .string(fileName(of: $0)) } ?? .null,
                "comparedWeights": .bool(generator.profile.map { $0.model.weightsDigest != nil } ?? true),
                "prompts": .array(selected.map { .string($0.caption) }), "seed": .string("\(seed)"),
                "lastBatch": measured.jsonValue, "lastBatchWork": work.jsonValue,
            ]
            try AtomicFile.write(try json.canonicalText(), to: report)
        }
        let ledger = measured.ledger
        let each = measured.images
        print(
            """
            \(images.count) picture\(images.count == 1 ? "" : "s") -> \(out)
            resident cache per picture: predicted \(ledger.predictedResidentBytes / each) bytes, measured \
            \(ledger.peakResidentBytes / each), full cache \(ledger.fullCacheBytes / each)
            """)
    }

    private static func name(_ index: Int) -> String {
        let digits = String(index)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
