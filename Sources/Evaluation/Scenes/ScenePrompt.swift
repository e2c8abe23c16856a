import VernierCore

/// One line of a Tangram corpus: what is asked for, in words and as a scene.
public struct ScenePrompt: Sendable, Hashable {
    /// The prompt given to the model.
    public let prompt: String
    /// The scene that the prompt describes.
    public let scene: Scene

    /// Makes a prompt.
    public init(prompt: String, scene: Scene) {
        self.prompt = prompt
        self.scene = scene
    }

    /// Reads a corpus of JSON lines, `{"prompt": ..., "scene": {...}}`; blank lines are passed over.
    ///
    /// Throws ``VernierCore/VernierError/Code/fileAccess``, ``VernierCore/VernierError/Code/malformedFile`` (with the
    /// line), or ``VernierCore/VernierError/Code/emptyInput`` if there is no line.
    public static func readCorpus(_ path: String) throws -> [ScenePrompt] {
        let file = try MappedFile(path: path)
        var prompts: [ScenePrompt] = []
        for (index, line) in file.bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            guard line.contains(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }) else { continue }
            let place = "\(file.name), line \(index + 1)"
            let cursor = JSONCursor(
                try JSONValue.parse(UnsafeRawBufferPointer(rebasing: line), name: place), place: place)
            prompts.append(
                ScenePrompt(prompt: try cursor.member("prompt").string(), scene: try Scene(cursor.member("scene"))))
        }
        guard !prompts.isEmpty else {
            throw VernierError(.emptyInput, at: file.name, expected: "at least one prompt", found: "none")
        }
        return prompts
    }
}
