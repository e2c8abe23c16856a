import ArgumentParser
import Evaluation
import Foundation

/// The words and shapes of scenes.
struct SceneOption: ParsableArguments {
    @Option(help: "Scene vocabulary (default: scenes.json beside the prompts, if there is one).")
    var scenes: String?

    /// The vocabulary named, else the one beside the prompts' file; nil if there is neither.
    func vocabulary(beside prompts: String) throws -> SceneVocabulary? {
        if let scenes { return try SceneVocabulary(contentsOf: scenes) }
        let beside = prompts.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let path = beside.isEmpty ? (prompts.hasPrefix("/") ? "/scenes.json" : "scenes.json") : "\(beside)/scenes.json"
        return FileManager.default.fileExists(atPath: path) ? try SceneVocabulary(contentsOf: path) : nil
    }
}
