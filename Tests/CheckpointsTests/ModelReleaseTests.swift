import ProfileFormat
import Testing
import VernierCore

@testable import Checkpoints

@Suite struct ModelReleaseTests {
    /// Learned numbers by the state dict of `models.md` section 3.3, against the table of section 3.1.
    @Test(arguments: [
        ("infinity-125m", 125_148_800, 521), ("infinity-2b", 2_204_564_032, 10_521),
        ("infinity-8b", 8_375_791_824, 10_521),
    ])
    func sizesComeToThePublishedParameters(_ name: String, _ parameters: Int, _ tokens: Int) throws {
        let configuration = try ModelRelease(named: name).configuration
        guard case .infinity(let numbers) = configuration.architecture else {
            Issue.record("\(name) is not of the family")
            return
        }
        let sizes = numbers.transformer
        let c = sizes.width, ct = sizes.textWidth, d = sizes.bits, f = sizes.mlpWidth
        let text = 512 * ct + ct + (c + 2 * c * ct + c + c * c + c) + (c * ct + c) + (c * c + c)
        let rest = c + 15 * c + (c * d + c) + (6 * c * c + 6 * c) + (2 * c * c + 2 * c) + (2 * d * c + 2 * d)
        let attention = 3 * c * c + 2 * c + c * c + c + sizes.heads
        let cross = 2 * c + (c * c + c) + (2 * c * c + c) + (c * c + c)
        let block = 6 * c + attention + cross + (f * c + f) + (c * f + c)
        #expect(text + rest + sizes.depth * block == parameters)
        #expect(configuration.schedule.totalTokens == tokens)
        #expect(numbers.tokenizer.bitsPerToken == d && numbers.tokenizer.pixelsPerToken == 16)
        #expect(sizes.depth % sizes.blockChunks == 0 && sizes.textPoolHeads == 16)
    }

    @Test func identitiesNameShapesAndNoWeights() throws {
        let identities = try ModelRelease.all.map { try $0.configuration.architectureIdentity() }
        #expect(identities.allSatisfy { $0.weightsDigest == nil && $0.branches == 2 })
        #expect(identities.map(\.family) == Array(repeating: "infinity", count: 3) + Array(repeating: "var", count: 5))
        #expect(
            identities.map(\.name) == [
                "infinity-125m", "infinity-2b", "infinity-8b", "var-d16", "var-d20", "var-d24", "var-d30", "var-d36",
            ])
        #expect(identities.map(\.layers) == [12, 32, 40, 16, 20, 24, 30, 36])
        #expect(identities.map(\.heads) == [8, 16, 28, 16, 20, 24, 30, 36])
        #expect(identities.map(\.headWidth) == [96, 128, 128, 64, 64, 64, 64, 64])
        #expect(Set(identities.map(\.shapeDigest)).count == 8)
        let error = try #require(throws: VernierError.self) { try ModelRelease(named: "infinity-20b") }
        #expect(error.description.contains("one of infinity-125m, infinity-2b, infinity-8b, var-d16"))
    }

    /// What a converted checkpoint's `config.json` must say so that a profile made for the release fits it.
    @Test func aModelDirectoryOfTheseSizesHasTheSameDigest() throws {
        let release = try ModelRelease(named: "infinity-2b").configuration
        var text = ConfigurationText()
        text.transformer =
            #"{"depth":32,"block_chunks":8,"width":2048,"heads":16,"mlp_width":8192,"text_width":2048,"#
            + #""text_pool_heads":16,"bits":32,"rope_grid":[72,54]}"#
        text.tokenizer =
            #"{"bits":32,"base_channels":128,"channel_multipliers":[1,2,4,4,4],"spatial_patchify":false}"#
        // Set up for 3:4 at 0.06M: the same checkpoint.
        text.schedule = "[[1,1],[2,2],[4,3],[8,6],[12,9],[16,12],[20,15]]"
        #expect(try text.read().shapeDigest == release.shapeDigest)
    }
}
