import Foundation
import TestSupport
import Testing
import VernierCore

/// `convert` and `synth` as commands: what they print, that `show` and `generate` take the result.
@Suite struct ConvertCommandTests {
    private let results = ResultsFolder()

    @Test func aConvertedModelDrawsTheSamePictures() throws {
        let model = try TinyVARModel(), out = results.file("m")
        let sources = ["\(model.path)/tokenizer.safetensors", "\(model.path)/transformer.safetensors"]
        let planned = try Tool.succeed(["convert"] + sources + ["--out", out, "--dry-run"])
        #expect(planned.hasPrefix("transformer (var), the sizes of no released model, 5 scales of 103 tokens\n"))
        #expect(planned.contains("  transformer: transformer.safetensors: 38 tensors, "))
        #expect(planned.contains(" bytes would be written to \(out)\n"))
        #expect(try results.listing().isEmpty)
        let written = try Tool.succeed(["convert"] + sources + ["--out", out, "--name", "mine"])
        #expect(written.hasPrefix("mine (var), ") && written.contains(" bytes -> \(out)\n"))
        #expect(
            try results.listing() == ["m", "m/config.json", "m/tokenizer.safetensors", "m/transformer.safetensors"])
        #expect(try Tool.succeed(["show", out]).hasPrefix("model      mine (var), 2 layers x 2 heads of 32"))
        for (path, picture) in [(model.path, "a.png"), (out, "b.png")] {
            try Tool.succeed([
                "generate", "--model", path, "--class", "3", "--guidance", "4", "--top-k", "20", "--out",
                results.file(picture),
            ])
        }
        #expect(try results.bytes("a.png") == results.bytes("b.png"))
    }

    @Test func aTextModelNeedsItsResolution() throws {
        let model = try TinyModel(), out = results.file("m")
        let refused = try Tool.run(["convert", model.path, "--out", out])
        #expect(refused.exitCode == 1 && refused.errors.contains("expected the resolution (--resolution 0.06M"))
        #expect(try results.listing().isEmpty)
        try Tool.succeed(["convert", model.path, "--out", out, "--resolution", "0.06M", "--aspect", "4:3"])
        let shown = try Tool.succeed(["show", out])
        #expect(shown.contains("4:3 at 0.06M") && shown.contains("665 tokens, "), "\(shown)")
        let again = try Tool.run(["convert", model.path, "--out", out, "--resolution", "0.06M"])
        #expect(again.exitCode == 1 && again.errors.contains("found a folder with files"))
    }
}
