import Generation
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// What a report's seconds are held against: the plan's operations, with attention over what was kept.
@Suite struct StageWorkTests {
    private let model: ImageModel

    init() throws { model = try ImageModel(path: TangramParityTests.modelPath) }

    private func work(_ profile: Profile?) throws -> (plan: PicturePlan, work: StageWork) {
        let generator = try ImageGenerator(model: model, profile: profile)
        let requests = try ["a red circle", "a blue star"].map {
            ImageRequest(condition: try model.encode($0), seed: 1)
        }
        _ = try generator.generate(requests, settings: model.defaultSettings, batchSize: 2)
        let plan = try model.directory.picturePlan(textTokens: 5), report = try #require(generator.report)
        return (plan, StageWork(plan, report: report, weightBytes: model.network.stack.weightBytes))
    }

    @Test func aFullCacheTakesWhatThePlanSays() throws {
        let (plan, work) = try work(nil)
        #expect(abs(work.transformerByScale.reduce(0, +) - 2 * plan.transformerTotal) < 1e-9 * plan.transformerTotal)
        #expect(work.decode == 2 * plan.decoder.total)
        #expect(work.text == 2 * (try #require(plan.textEncoder)) && work.text > 0)
        // 8 blocks of 6 C^2 + 2 C F weights and a head of one panel of 32 outputs, kept in bfloat16, as they are stored.
        let c = model.network.stack.width, f = model.network.stack.mlpWidth
        #expect(work.weightBytes == 2 * (8 * (6 * c * c + 2 * c * f) + 32 * c))
    }

    @Test func aProfileSavesTheAttentionOverWhatItLacks() throws {
        let profile = try Profile(contentsOf: TangramParityTests.root + "/Profiles/tangram-10.json")
        let (plan, full) = try work(nil), kept = try work(profile).work
        let schedule = plan.schedule
        for scale in 0..<schedule.scaleCount {
            var missing = 0
            for branch in 0..<2 {
                for layer in 0..<plan.model.layers {
                    for head in 0..<plan.model.heads {
                        missing += schedule.historyTokens(scale) - profile.capacities[branch, scale, layer, head]
                    }
                }
            }
            let saved = Double(2 * 4 * 32 * schedule.tokenCount(scale) * missing)
            let found = full.transformerByScale[scale] - kept.transformerByScale[scale]
            #expect(abs(found - saved) <= 1e-9 * full.transformerByScale[scale], "scale \(scale)")
        }
        #expect(kept.transformerByScale.last ?? 0 < full.transformerByScale.last ?? 0)
    }
}
