import Checkpoints
import Evaluation
import Generation
import TestSupport
import Testing

/// The scorer on the trainer's pictures: ground truth, and what the shipped image tokeniser makes of it.
@Suite struct SceneFixtureTests {
    static let folder =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        + "/Fixtures"

    private func shareRight(_ name: String) throws -> Double {
        let scorer = SceneScorer(try SceneVocabulary(contentsOf: "\(SceneScorerTests.corpora)/scenes.json"))
        let scenes = try Corpus(path: "\(Self.folder)/tangram-fixture-scenes.jsonl").prompts
        let images = try SafetensorsFile(path: "\(Self.folder)/\(name).safetensors").view("images")
        let side = images.shape[1], each = side * side * 3, bytes = try images.uint8()
        #expect(images.shape[0] == scenes.count && scenes.count >= 100)
        let right = try scenes.enumerated().count { index, prompt in
            let picture = try Picture(
                width: side, height: side, pixels: Array(bytes[(index * each)..<((index + 1) * each)]))
            return scorer.score(picture, expected: try Scene(try #require(prompt.scene))).allCorrect
        }
        return Double(right) / Double(scenes.count)
    }

    @Test func groundTruthScoresNinetyNinePercent() throws {
        #expect(try shareRight("tangram-ground-truth") >= 0.99)
    }

    @Test func reconstructionsScoreNinetySevenPercent() throws {
        #expect(try shareRight("tangram-reconstructions") >= 0.97)
    }
}
