import Evaluation
import TestSupport
import Testing
import VernierCore

@Suite struct SceneFileTests {
    @Test func theCorporaSpeakTheVocabulary() throws {
        let vocabulary = try SceneVocabulary(contentsOf: "\(SceneScorerTests.corpora)/scenes.json")
        for name in ["tangram-calibration", "tangram-heldout"] {
            let prompts = try ScenePrompt.readCorpus("\(SceneScorerTests.corpora)/\(name).jsonl")
            #expect(prompts.count >= 64)
            for prompt in prompts {
                #expect(vocabulary.backgrounds.contains { $0.name == prompt.scene.background })
                #expect(prompt.scene.relation.map { name in vocabulary.relations.contains { $0.name == name } } ?? true)
                for object in prompt.scene.objects {
                    #expect(vocabulary.colours.contains { $0.name == object.colour })
                    #expect(vocabulary.shapes.contains { $0.name == object.shape })
                    #expect(vocabulary.sizes.contains { $0.name == object.size })
                    #expect(prompt.prompt.contains("\(object.size) \(object.colour) \(object.shape)"))
                }
            }
        }
    }

    @Test(arguments: [
        (#"{"objects": []}"#, #"scene: expected a member "background", found none."#),
        (
            #"{"background": "white", "objects": []}"#,
            "scene: objects: expected one or two objects, found 0."
        ),
        (
            #"{"background": "white", "objects": [{"colour": "red", "shape": "ring", "size": 3}]}"#,
            "scene: objects[0].size: expected a string, found 3."
        ),
        (
            #"{"background": "white", "objects": [{"colour": "a", "shape": "b", "size": "c"}], "relation": "above"}"#,
            "scene: expected a relation exactly with two objects, found 1 of them and one."
        ),
    ]) func badScenesAreRefused(text: String, message: String) throws {
        let value = try JSONValue.parse(text, name: "scene")
        let error = #expect(throws: VernierError.self) { try Scene(value) }
        #expect(error?.description == message)
    }

    @Test func badCorpusLinesAreNamed() throws {
        let folder = TemporaryDirectory()
        let line =
            #"{"prompt": "p", "scene": {"background": "w", "objects": [{"colour": "a", "shape": "b", "size": "c"}]}}"#
        try AtomicFile.write("\(line)\n\n\(line)\r\n", to: folder.file("good.jsonl"))
        #expect(try ScenePrompt.readCorpus(folder.file("good.jsonl")).count == 2)
        try AtomicFile.write("\(line)\n{\"prompt\": 4}\n", to: folder.file("bad.jsonl"))
        let error = #expect(throws: VernierError.self) { try ScenePrompt.readCorpus(folder.file("bad.jsonl")) }
        #expect(error?.description == "bad.jsonl, line 2: prompt: expected a string, found 4.")
        try AtomicFile.write("\n", to: folder.file("empty.jsonl"))
        let empty = #expect(throws: VernierError.self) { try ScenePrompt.readCorpus(folder.file("empty.jsonl")) }
        #expect(empty?.code == .emptyInput)
    }

    @Test(arguments: [
        (#""circle": {"kind": "blob"}"#, "kind"), (#""ring": {"kind": "ring", "inner": 2}"#, "inner"),
        (#""line": {"kind": "polygon", "points": [[0, 0], [1, 1]]}"#, "points"),
        (#""flat": {"kind": "polygon", "points": [[0, 0], [1, 1], [0.5, 0.5]]}"#, "points"),
        (#""odd": {"kind": "polygon", "points": [[0, 0, 0], [1, 1], [0.5, 0.5]]}"#, "points[0]"), ("", "shapes"),
    ]) func badVocabulariesAreRefused(shape: String, place: String) throws {
        let text = """
            {"colours": {"red": [255, 0, 0]}, "backgrounds": {"white": [255, 255, 255]}, "shapes": {\(shape)},
             "sizes": {"small": {"min": 0.1, "max": 0.2}}, "relations": {"above": {"axis": "y", "sign": -1}},
             "rotation_degrees": 5}
            """
        let value = try JSONValue.parse(text, name: "v.json")
        let error = #expect(throws: VernierError.self) { try SceneVocabulary(JSONCursor(value, place: "v.json")) }
        #expect(error?.code == .malformedFile)
        #expect(error?.place.hasSuffix(place) == true)
    }
}
