import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

/// The `config.json` of the VAR family.
@Suite("VAR configuration")
struct VARConfigurationTests {
    static let text = """
        {"format":"vernier-model","version":1,"family":"var","name":"VAR-d16",\
        "transformer":{"depth":16,"width":1024,"heads":16,"mlp_width":4096,"classes":1000},\
        "schedule":[[1,1],[2,2],[3,3],[4,4],[5,5],[6,6],[8,8],[10,10],[13,13],[16,16]],\
        "tokenizer":{"codebook_size":4096,"code_channels":32,"base_channels":160,"channel_multipliers":[1,1,2,2,4]},\
        "sampling":{"guidance":4,"temperature":1,"top_k":900,"top_p":0.95}}
        """

    private func read(_ text: String) throws -> ModelConfiguration {
        try ModelConfiguration(
            reading: JSONCursor(try JSONValue.parse(text, name: "config.json"), place: "config.json"))
    }

    @Test("Every field is read")
    func fields() throws {
        let configuration = try read(Self.text)
        guard case .var(let numbers) = configuration.architecture else {
            Issue.record("another family")
            return
        }
        #expect(configuration.family == "var" && configuration.name == "VAR-d16")
        #expect(numbers.depth == 16 && numbers.width == 1024 && numbers.heads == 16 && numbers.mlpWidth == 4096)
        #expect(numbers.classes == 1000 && numbers.codebookSize == 4096 && numbers.codeChannels == 32)
        #expect(numbers.baseChannels == 160 && numbers.channelMultipliers == [1, 1, 2, 2, 4])
        #expect(configuration.architecture.headWidth == 64)
        #expect(configuration.schedule.totalTokens == 680)
        #expect(configuration.schedule.ropeGrid == ScaleSchedule.Grid(height: 16, width: 16), "no RoPE: the last map")
        #expect(configuration.sampling.guidance == 4 && configuration.sampling.topK == 900)
    }

    @Test(
        "A fault is refused at its place",
        arguments: [
            (#""classes":1000"#, #""classes":0"#, "transformer.classes: expected a whole number from 1"),
            (#","classes":1000"#, "", #"a member "classes""#),
            (#""classes":1000"#, #""classes":1000,"text_width":8"#, #"found also "text_width""#),
            (#""heads":16"#, #""heads":15"#, "transformer.heads: expected a divisor of width 1024"),
            (
                #""codebook_size":4096"#, #""codebook_size":1"#,
                "tokenizer.codebook_size: expected a whole number from 2"
            ),
            (#""code_channels":32"#, #""bits":32"#, "tokenizer: expected only the members"),
            (#""base_channels":160"#, #""base_channels":100"#, "tokenizer.base_channels: expected a multiple of 32"),
            ("[1,1,2,2,4]", "[]", "tokenizer.channel_multipliers: expected 1 to 8 levels"),
            ("[[1,1],[2,2]", "[[0,1],[2,2]", "schedule[0][0]"),
            (#""sampling""#, #""text_encoder":{"max_tokens":8},"sampling""#, #"found also "text_encoder""#),
            (#""schedule""#, #""rope_grid":[1,1],"schedule""#, #"found also "rope_grid""#),
            (#""family":"var""#, #""family":"infinity""#, #"a member "text_encoder""#),
            (#""family":"var""#, #""family":"dit""#, #"expected one of the families ["infinity", "var"]"#),
        ])
    func fault(old: String, new: String, message: String) throws {
        let text = Self.text.replacing(old, with: new)
        #expect(text != Self.text)
        let error = try #require(throws: VernierError.self) { _ = try read(text) }
        #expect(error.description.contains(message), "\(error)")
    }

    @Test("The shape digest sees numbers that shape the computation, and the family")
    func shapeDigest() throws {
        let digest = try read(Self.text).shapeDigest
        for (old, new) in [("VAR-d16", "other"), ("[16,16]", "[17,17]"), (#""guidance":4"#, #""guidance":1"#)] {
            #expect(try read(Self.text.replacing(old, with: new)).shapeDigest == digest, "\(old)")
        }
        for (old, new) in [
            (#""depth":16"#, #""depth":20"#), (#""heads":16"#, #""heads":8"#), (#""classes":1000"#, #""classes":999"#),
            (#""width":1024"#, #""width":2048"#), ("\"mlp_width\":4096", "\"mlp_width\":2048"),
            ("\"codebook_size\":4096", "\"codebook_size\":2048"), (#""code_channels":32"#, #""code_channels":16"#),
            (#""base_channels":160"#, #""base_channels":32"#), ("[1,1,2,2,4]", "[1,1,2,4]"),
        ] {
            #expect(try read(Self.text.replacing(old, with: new)).shapeDigest != digest, "\(old)")
        }
    }

    /// Tangram's digest is written into its profiles.
    @Test("Tangram's digest stays")
    func tangram() throws {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let configuration = try ModelConfiguration(path: root + "/Calibration/Models/tangram/config.json")
        #expect(configuration.shapeDigest == "55850f07dce8d16b662d589dce636764a9e0c4d9c088d67f6d1964cba9f6d0d9")
    }

    @Test("A VAR directory needs no text encoder")
    func directory() throws {
        let folder = TemporaryDirectory()
        var writer = SafetensorsWriter()
        try writer.add(TensorView(name: "x", shape: [1], float32: [1]))
        try writer.write(to: folder.file("transformer.safetensors"))
        try AtomicFile.write(Self.text, to: folder.file("config.json"))
        let error = try #require(throws: VernierError.self) { _ = try ModelDirectory(path: folder.path) }
        #expect(error.description.contains("found no tokenizer.safetensors.") && error.code == .fileAccess)
        try writer.write(to: folder.file("tokenizer.safetensors"))
        let identity = try ModelDirectory(path: folder.path).identity()
        #expect(identity.family == "var" && identity.layers == 16 && identity.heads == 16 && identity.headWidth == 64)
    }
}
