import ArgumentParser
import ProfileCompiler
import ProfileFormat
import VernierCore

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a profile as another project's file.",
        discussion: """
            scalekv-json  a budget file that the released code of StargazerX0/ScaleKV loads: two numbers of tokens for the \
            blocks of each of five scales, of an Infinity model at 1:1, 1M. Budgets that differ between heads, or take more \
            than two values, are averaged with a note.
            """)

    @Argument(help: "Profile (JSON).")
    var profile: String
    @Option(help: "What to write: \(ExportCommand.formats.joined(separator: ", ")).")
    var to: String
    @Option(help: "File to write.")
    var out: String
    @Flag(help: "Leave out what the file cannot say (rule, boundary maps, storage) with a note, instead of refusing.")
    var budgetsOnly = false

    static let formats = ["scalekv-json"]

    func validate() throws {
        guard Self.formats.contains(to) else {
            throw ValidationError("--to: expected one of \(Self.formats.joined(separator: ", ")), found '\(to)'.")
        }
    }

    func run() throws {
        try requirePlace(forFile: out)
        let file = try exportScaleKVBudgets(
            Profile(contentsOf: profile), name: fileName(of: profile), budgetsOnly: budgetsOnly)
        try AtomicFile.write(file.text, to: out)
        file.warnings.forEach(printNote)
        print("budgets of \(fileName(of: profile)) -> \(out); to be run with \(file.usage)")
    }
}
