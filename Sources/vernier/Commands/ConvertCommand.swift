import ArgumentParser
import Checkpoints
import Conversion
import ProfileFormat
import VernierCore

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Write the model directory of a checkpoint as it is downloaded.",
        discussion: """
            VAR       var_d16.pth vae_ch160v4096z32.pth
            Infinity  infinity_2b_reg.pth infinity_vae_d32reg.pth flan-t5-xl/

            Family and sizes are read off the names and shapes of the tensors. Torch files (.pth), safetensors and sharded \
            safetensors with their index are read; of the text encoder's folder also config.json and spiece.model. Tensors are \
            copied as they are; the image tokeniser's encoder and the text encoder's decoder are left out.
            """)

    @Argument(help: "The checkpoint's files, or folders with them.")
    var sources: [String]
    @Option(help: "Folder to make.")
    var out: String
    @Option(help: "The model's name (default: the released model of these sizes).")
    var name: String?
    @Option(help: "VAR without normalised attention and no released model: attention heads.")
    var heads: Int?
    @Flag(help: "Say what would be written, write nothing.")
    var dryRun = false
    @OptionGroup var schedule: ScheduleOptions
    @OptionGroup var progress: ProgressOption

    func validate() throws {
        try requireAtLeast(1, heads, option: "--heads")
        if let name, !(1...200).contains(name.utf8.count) {
            throw ValidationError("--name: expected 1 to 200 bytes, found \(name.utf8.count).")
        }
    }

    func run() throws {
        try requirePlace(forNewFolder: out)
        let conversion = try CheckpointConversion(
            of: sources, options: ConversionOptions(name: name, schedule: schedule.choice(), heads: heads))
        print(([summary(of: conversion)] + conversion.findings.map { "  \($0)" }).joined(separator: "\n"))
        if dryRun { return print("\(conversion.byteCount) bytes would be written to \(out)") }
        try progress.run { try conversion.write(to: out, progress: $0) }
        print("\(conversion.byteCount) bytes -> \(out)")
    }

    private func summary(of conversion: CheckpointConversion) -> String {
        let configuration = conversion.configuration, schedule = configuration.schedule
        let drawn =
            InfinitySchedule(of: schedule)?.description ?? VARSchedule(totalTokens: schedule.totalTokens)?.description
            ?? "\(schedule.scaleCount) scales of \(schedule.totalTokens) tokens"
        return "\(configuration.name) (\(configuration.family)), "
            + (conversion.release.map { "the sizes of \($0.name)" } ?? "the sizes of no released model") + ", \(drawn)"
    }
}
