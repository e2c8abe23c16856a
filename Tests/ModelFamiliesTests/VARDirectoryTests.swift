import Generation
import KVCacheRuntime
import ModelFamilies
import TestSupport
import Testing

/// A VAR model directory, loaded: `var-a` (AdaLN per block, ten scales) gives the golden logits.
@Suite struct VARDirectoryTests {
    @Test func aLoadedDirectoryGivesTheGoldenLogits() throws {
        let directory = try TinyVARModel("var-a"), golden = try GoldenCase("var-a")
        let model = try withExtendedLifetime(directory) { try ImageModel(path: directory.path) }
        #expect(model.identity.family == "var" && model.identity.branches == 2 && model.identity.headWidth == 16)
        #expect(model.defaultSettings.guidance == [1.5] && model.directory.configuration.classes == 10)
        #expect(model.network.choices == .codebook(96) && model.network.choices.name == "token")
        var hooks = GenerationHooks(), logits: [[Float]] = []
        hooks.forcedChoices = golden.choices
        hooks.logits = { logits.append(Array($1)) }
        let classes = try golden.run.int32("in.class_ids")
        let requests = try classes.enumerated().map { index, imageClass in
            try model.request(for: CorpusPrompt(index: index, subject: .imageClass(Int(imageClass))), seed: 0)
        }
        _ = try ImageGenerator(model: model).generateChoices(requests, settings: model.defaultSettings, hooks: hooks)
        for scale in logits.indices {
            try expectClose(
                logits[scale], golden.run.view("out.logits.\(scale)"), tolerance: 5e-4,
                what: "var-a through its directory, scale \(scale): guided logits")
        }
        #expect(logits.count == 10)
    }
}
