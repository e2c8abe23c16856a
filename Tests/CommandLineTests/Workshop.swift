import Foundation
import TestSupport
import Testing
import VernierCore

/// Models and files that the command-line tests share; made once, read only, removed when the process ends.
final class Workshop: Sendable {
    /// The one workshop.
    static let shared: Result<Workshop, any Error> = Result {
        let made = try Workshop()
        atexit { if case .success(let workshop) = Workshop.shared { workshop.removeAll() } }
        return made
    }

    private let folder = TemporaryDirectory()
    private let model: TinyModel
    private let foreign: TinyModel
    private let nan: TinyModel
    private let cut: TinyModel
    private let mixed: TinyModel

    /// The path behind each name that ``expand(_:out:)`` knows.
    let paths: [String: String]

    private init() throws {
        model = try TinyModel()
        foreign = try TinyModel(seed: 2)
        nan = try TinyModel { name, values in
            if name == "block_chunks.0.module.1.ffn.fc1.weight" { values[17] = .nan }
        }
        cut = try TinyModel()
        try Self.cut(cut.transformerPath, to: cut.transformerPath)
        mixed = try TinyModel()
        let classes = try TinyVARModel(), target = mixed.path + "/tokenizer.safetensors"
        try withExtendedLifetime(classes) {
            try MappedFile(path: classes.path + "/tokenizer.safetensors").withBytes {
                try AtomicFile.write($0, to: target)
            }
        }
        var paths = [
            "model": model.path, "foreign": foreign.path, "nan-model": nan.path, "cut-model": cut.path,
            "mixed-model": mixed.path,
            "no-model": folder.folder("no-model"),
        ]
        for name in [
            "prompts.jsonl", "empty.jsonl", "bad.jsonl", "s.h5", "cut.h5", "foreign.h5", "p.json", "cut.json",
            "foreign.json", "edited.json", "other.json", "notes.txt",
        ] { paths[name] = folder.file(name) }
        self.paths = paths

        try AtomicFile.write(TinyModel.corpus(3), to: folder.file("prompts.jsonl"))
        try AtomicFile.write("", to: folder.file("empty.jsonl"))
        try AtomicFile.write(TinyModel.corpus(1) + "{\"prompt\": 3}\n", to: folder.file("bad.jsonl"))
        try AtomicFile.write("These are notes.\n", to: folder.file("notes.txt"))
        for (name, path) in [("s", model.path), ("foreign", foreign.path)] {
            try Tool.succeed([
                "calibrate", "--model", path, "--prompts", folder.file("prompts.jsonl"), "--out",
                folder.file("\(name).h5"),
            ])
        }
        for (statistics, keep, profile) in [("s", "40%", "p"), ("s", "30%", "other"), ("foreign", "40%", "foreign")] {
            try Tool.succeed([
                "compile", folder.file("\(statistics).h5"), "--keep", keep, "--out", folder.file("\(profile).json"),
            ])
        }
        try Self.cut(folder.file("s.h5"), to: folder.file("cut.h5"))
        try Self.cut(folder.file("p.json"), to: folder.file("cut.json"))
        // By hand: the last scale of the first layer holds one token, the ledger says otherwise.
        let profile = try String(contentsOfFile: folder.file("p.json"), encoding: .utf8)
        let edited = profile.replacing("\"promptCount\": 3", with: "\"promptCount\": 4")
        guard edited != profile else { throw Tool.Missing(description: "nothing to edit in \(profile)") }
        try AtomicFile.write(edited, to: folder.file("edited.json"))
    }

    /// Replaces every `{name}` by its path, `{out}` by `out`.
    func expand(_ argument: String, out: String) -> String {
        paths.merging(["out": out]) { $1 }.reduce(argument) { $0.replacing("{\($1.key)}", with: $1.value) }
    }

    /// Drops the last third of a file.
    private static func cut(_ source: String, to target: String) throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: source)))
        try AtomicFile.write(Array(bytes.prefix(bytes.count * 2 / 3)), to: target)
    }

    private func removeAll() {
        for path in [folder.path, model.path, foreign.path, nan.path, cut.path, mixed.path] {
            try? FileManager.default.removeItem(atPath: path)
        }
    }
}

/// A folder for one test's results, and what lies in it.
struct ResultsFolder {
    private let folder = TemporaryDirectory()

    var path: String { folder.path }

    func file(_ name: String) -> String { folder.file(name) }

    func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: file(name)))) }

    /// Everything in the folder, its sub-folders included, sorted.
    func listing() throws -> [String] {
        guard let found = FileManager.default.enumerator(atPath: path) else {
            throw Tool.Missing(description: "\(path) cannot be listed")
        }
        return found.compactMap { $0 as? String }.sorted()
    }
}
