import ArgumentParser
import Checkpoints
import Conversion
import VernierCore

struct Synth: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a seeded random checkpoint with the shapes of a released model, for tests of scale.",
        discussion: """
            Writes a model directory, or with --pth the files as the release is distributed, for 'vernier convert'. What it \
            draws means nothing, but every number stays finite. The largest need tens of gigabytes of disk, never of memory.
            """)

    @Option(help: "A released model: \(ModelRelease.all.map(\.name).joined(separator: ", ")).")
    var like: String
    @Option(help: "Folder to make.")
    var out: String
    @Option(
        help:
            "Infinity: SentencePiece model of the text encoder, for example another model's text_encoder/spiece.model.")
    var spiece: String?
    @Flag(help: "Write the release's own files (.pth, and the text encoder's folder) in place of a model directory.")
    var pth = false
    @Option(help: "Seed of the numbers.")
    var seed: UInt64 = 0
    @Option(help: "Type of the weights: \(Synth.types.map(\.name).joined(separator: ", ")).")
    var weights: String = "float32"
    @Option(help: "Infinity: layers of the text encoder (default: 24, as flan-t5-xl; 0.2 GB each in float32).")
    var textLayers: Int?
    @OptionGroup var progress: ProgressOption

    static let types: [(name: String, type: ElementType)] = [("float32", .f32), ("bfloat16", .bf16)]

    func validate() throws {
        guard Self.types.contains(where: { $0.name == weights }) else {
            throw ValidationError(
                "--weights: expected one of \(Self.types.map(\.name).joined(separator: ", ")), found '\(weights)'.")
        }
        try requireAtLeast(1, textLayers, option: "--text-layers")
    }

    func run() throws {
        let release = try ModelRelease(named: like)
        if case .infinity = release.configuration.architecture, spiece == nil {
            throw VernierError(
                .invalidArgument, at: like, expected: "--spiece FILE, a SentencePiece model for the text encoder",
                found: "none", remedy: "Give the spiece.model of a T5 model, or of another model directory.")
        }
        try requirePlace(forNewFolder: out)
        let checkpoint = try SyntheticCheckpoint(
            of: release, seed: seed, floatType: Self.types.first { $0.name == weights }?.type ?? .f32,
            textLayers: textLayers, pieces: spiece)
        try progress.run {
            if pth {
                try checkpoint.writeReleasedFiles(to: out, progress: $0)
            } else {
                try checkpoint.writeDirectory(to: out, progress: $0)
            }
        }
        print("\(release.name), seed \(seed), \(weights)\(pth ? ", as released" : "") -> \(out)")
    }
}
