import Checkpoints
import Generation
import ModelFamilies
import ProfileFormat
import Testing
import TextEncoding
import VernierCore

/// Bytes and operations of the released models against `models.md` sections 5.1 and 5.2, from their sizes alone.
@Suite struct PicturePlanTests {
    private static let infinity = ModelRelease.all.map(\.name).filter { $0.hasPrefix("infinity") }

    private static func plan(
        _ name: String, _ resolution: InfinityResolution, textTokens: Int = 64, textEncoder: T5Configuration? = nil
    ) throws -> PicturePlan {
        try PicturePlan(
            ModelRelease(named: name).configuration.choosing(ScheduleChoice(resolution: resolution)),
            textEncoder: textEncoder, textTokens: textTokens)
    }

    private static func flan() throws -> T5Configuration {
        let text = """
            {"d_model": 2048, "d_ff": 5120, "d_kv": 64, "num_heads": 32, "num_layers": 24, "vocab_size": 32128,
             "layer_norm_epsilon": 1e-6, "relative_attention_num_buckets": 32,
             "relative_attention_max_distance": 128, "feed_forward_proj": "gated-gelu"}
            """
        return try T5Configuration(reading: JSONCursor(JSONValue.parse(text, name: "t5"), place: "t5"))
    }

    /// Must-show: Infinity-2B, 1:1 at 1M, two branches, by data type.
    @Test func fullCacheOfInfinity2BAt1MIsThePublishedOne() throws {
        let plan = try Self.plan("infinity-2b", .full)
        #expect(plan.model.layers * plan.model.heads * plan.model.headWidth == 32 * 2048)
        let released = plan.releasedCache, full = plan.fullCache
        // L * C * T * bytes * branches; the table's 11.03, 8.27 and 5.52 GB.
        #expect(released.tokens == 10_521)
        #expect(released.bytes(.float32) == 32 * 2048 * 10_521 * 8 * 2)
        #expect(released.bytes(.float32) == 11_032_068_096)
        #expect(released.releasedBytes == 32 * 2048 * 10_521 * 6 * 2)
        #expect(released.releasedBytes == 8_274_051_072)
        #expect(released.bytes(.bfloat16) == 5_516_034_048)
        // One scale a head and row: 132 of 256 bytes in bfloat16.
        #expect(released.bytes(.int8) == 32 * 16 * 10_521 * 2 * 132 * 2)
        // Batch 8 without the last scale: 53.90, 40.42 and 26.95 GB, and ScaleKV's 38,550 MiB.
        #expect(full.tokens == 6425)
        #expect(full.bytes(.float32) * 8 == 53_896_806_400)
        #expect(full.releasedBytes * 8 == 40_422_604_800 && full.releasedBytes * 8 / (1 << 20) == 38_550)
        #expect(full.bytes(.bfloat16) * 8 == 26_948_403_200)
        let large = try Self.plan("infinity-8b", .full)
        #expect(large.fullCache.releasedBytes * 8 / (1 << 20) == 84_328)
    }

    /// Rows of the table: name, resolution, float32, released and half, in the last digit printed.
    @Test(arguments: [
        ("infinity-125m", "0.06M", 76.8e6, 57.6e6, 38.4e6, 0.05e6),
        ("infinity-2b", "0.06M", 546.3e6, 409.7e6, 273.2e6, 0.05e6),
        ("infinity-2b", "1M", 11.03e9, 8.27e9, 5.52e9, 0.005e9),
        ("infinity-8b", "1M", 24.13e9, 18.10e9, 12.07e9, 0.005e9),
    ])
    func fullCachesAreThePublishedOnes(
        _ name: String, _ resolution: String, _ float32: Double, _ released: Double, _ half: Double, _ step: Double
    ) throws {
        let cache = try Self.plan(name, InfinityResolution(named: resolution)).releasedCache
        #expect(abs(Double(cache.bytes(.float32)) - float32) <= step)
        #expect(abs(Double(cache.releasedBytes) - released) <= step)
        #expect(abs(Double(cache.bytes(.bfloat16)) - half) <= step)
    }

    /// The ledger of a profile that evicts nothing comes to the same.
    @Test func theLedgerAgreesWithTheFullCache() throws {
        for name in Self.infinity {
            for resolution in InfinityResolution.all {
                let plan = try Self.plan(name, resolution)
                for storage in StorageFormat.knownNames.compactMap(StorageFormat.init(name:)) {
                    let ledger = ResidentPlan(
                        capacities: .full(
                            schedule: plan.schedule, layers: plan.model.layers, heads: plan.model.heads),
                        schedule: plan.schedule, storage: CellStorage(uniform: storage),
                        headWidth: plan.model.headWidth,
                        branches: 2)
                    #expect(ledger.fullCacheBytes() == plan.fullCache.bytes(storage))
                    #expect(ledger.residentBytes() == plan.fullCache.bytes(storage))
                    #expect(ledger.referenceFullCacheBytes() == plan.fullCache.releasedBytes)
                }
            }
        }
    }

    /// Rows of the table: linear and attention of one sequence, all with guidance, decoder. The table's digits; its 0.227
    /// for 125M is 0.226 by its own formula.
    @Test(arguments: [
        ("infinity-125m", "0.06M", 103e9, 6.7e9, 0.2265e12, 0.62e12),
        ("infinity-2b", "0.06M", 1.958e12, 47.6e9, 4.10e12, 0.616e12),
        ("infinity-2b", "0.25M", 9.47e12, 1.05e12, 21.2e12, 2.46e12),
        ("infinity-2b", "1M", 39.5e12, 18.0e12, 115.4e12, 9.85e12),
        ("infinity-8b", "0.25M", 36.3e12, 2.29e12, 77.6e12, 2.47e12),
        ("infinity-8b", "1M", 151.4e12, 39.3e12, 382e12, 9.89e12),
    ])
    func operationsAreThePublishedOnes(
        _ name: String, _ resolution: String, _ linear: Double, _ attention: Double, _ total: Double, _ decoder: Double
    ) throws {
        let plan = try Self.plan(name, InfinityResolution(named: resolution))
        func expectNear(_ found: Double, _ published: Double, _ what: String) {
            #expect(abs(found - published) <= 0.0075 * published, "\(what): \(found) for \(published)")
        }
        expectNear(plan.transformer.linear, linear, "linear")
        expectNear(plan.transformer.attention, attention, "attention")
        expectNear(plan.transformerTotal, total, "with guidance")
        expectNear(plan.decoder.total, decoder, "decoder")
        #expect(plan.total == plan.transformerTotal + plan.decoder.total)
    }

    @Test func operationsFollowTheFormulaToTheUnit() throws {
        let plan = try Self.plan("infinity-2b", .smallest, textTokens: 7)
        let (l, c, f, t, pairs) = (32.0, 2048.0, 8192.0, 521.0, 181_689.0)
        #expect(plan.transformer.linear == l * t * (12 * c * c + 4 * c * f))
        #expect(plan.transformer.attention == 4 * c * l * pairs)
        #expect(plan.transformer.text == 4 * c * l * t * 7 + 4 * l * c * c * 7)
        #expect(plan.transformer.rest == 4 * 32 * c * t)
    }

    @Test func textEncoderIsThePublishedOne() throws {
        let flan = try Self.flan()
        #expect(abs(flan.work(tokens: 1) - 2.315e9) < 0.001e9)
        #expect(abs(flan.work(tokens: 64) - 0.15e12) < 0.005e12)
        #expect(abs(flan.work(tokens: 512) - 1.24e12) < 0.005e12)
        let plan = try Self.plan("infinity-2b", .full, textTokens: 12, textEncoder: flan)
        #expect(plan.total == plan.transformerTotal + plan.decoder.total + flan.work(tokens: 12))
    }

    /// VAR's rows of the same table: depth and T operations with guidance.
    @Test(arguments: [(16, 0.60), (20, 1.14), (24, 1.95), (30, 3.77), (36, 22.8)])
    func operationsOfVARAreThePublishedOnes(_ depth: Int, _ tera: Double) throws {
        let plan = try PicturePlan(ModelRelease(named: "var-d\(depth)").configuration, textTokens: 64)
        #expect(abs(plan.transformerTotal - tera * 1e12) < 0.0075e12 * tera)
        #expect(abs(plan.decoder.total - (depth == 36 ? 1.58e12 : 0.394e12)) < 0.004e12)
        #expect(plan.textTokens == 0 && plan.textEncoder == nil && plan.transformer.text == 0)
        #expect(plan.height == (depth == 36 ? 512 : 256) && plan.width == plan.height)
    }

    /// VAR's rows of the table of caches: all scales and without the last, in MB of 1e6.
    @Test(arguments: [("var-d16", 178.3, 133.7, 89.1), ("var-d30", 626.7, 470.0, 313.3), ("var-d36", 2973, 2230, 1486)])
    func fullCachesOfVARAreThePublishedOnes(_ name: String, _ float32: Double, _ released: Double, _ half: Double)
        throws
    {
        let cache = try PicturePlan(ModelRelease(named: name).configuration, textTokens: 0).releasedCache
        let step = float32 < 1000 ? 0.05e6 : 0.5e6
        #expect(abs(Double(cache.bytes(.float32)) - float32 * 1e6) <= step)
        #expect(abs(Double(cache.releasedBytes) - released * 1e6) <= step)
        #expect(abs(Double(cache.bytes(.bfloat16)) - half * 1e6) <= step)
    }

    @Test func pictureSizesAreThePublishedOnes() throws {
        for name in Self.infinity {
            let release = try ModelRelease(named: name)
            for official in InfinitySchedule.all {
                let plan = try PicturePlan(
                    release.configuration.choosing(ScheduleChoice(of: official.schedule)), textTokens: 1)
                #expect((plan.height, plan.width) == official.pictureSize, "\(name), \(official)")
            }
        }
    }
}
