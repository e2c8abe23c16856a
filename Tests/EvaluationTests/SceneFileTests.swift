import Evaluation
import Generation
import TestSupport
import Testing
import VernierCore

@Suite struct SceneFileTests {
    @Test func theCorporaSpeakTheVocabulary() throws {
        let vocabulary = try SceneVocabulary(contentsOf: "\(SceneScorerTests.corpora)/scenes.json")
        for name in ["tangram-calibration", "tangram-heldout"] {
            let corpus = try Corpus(path: "\(SceneScorerTests.corpora)/\(name).jsonl")
            #expect(corpus.prompts.count >= 64)
            for prompt in corpus.prompts {
                let scene = try Scene(try #require(prompt.scene))
                #expect(vocabulary.backgrounds.contains { $0.name == scene.background })
                #expect(scene.relation.map { name in vocabulary.relations.contains { $0.name == name } } ?? true)
                for object in scene.objects {
                    #expect(vocabulary.colours.contains { $0.name == object.colour })
                    #expect(vocabulary.shapes.contains { $0.name == object.shape })
                    #expect(vocabulary.sizes.contains { $0.name == object.size })
                    #expect(prompt.caption.contains("\(object.size) \(object.colour) \(object.shape)"))
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
