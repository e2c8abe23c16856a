import Checkpoints
import TensorKernels
import TestSupport
import Testing

/// The sampling routine against `sampler-a`, and its two-class shortcut against the routine.
@Suite struct SamplerGoldenTests {
    @Test func masksProbabilitiesAndDraws() throws {
        let golden = try Golden.open("sampler-a")
        let cases = try golden.config.member("cases").elements()
        #expect(cases.count == 9)
        for item in cases {
            let index = try item.member("index").integer(), shape = try item.member("shape").integers()
            let sampler = ClassSampler(
                topK: try item.member("top_k").integer(), topP: Float(try item.member("top_p").number()))
            let logits = try golden.float32("case.\(index).logits"), noise = try golden.float32("case.\(index).noise")
            let mask = try golden.uint8("case.\(index).mask"), ids = try golden.int32("case.\(index).ids")
            let width = shape[2]
            var probabilities: [Float] = [], masks: [UInt8] = [], drawn: [Int32] = []
            for row in 0..<(shape[0] * shape[1]) {
                let places = (row * width)..<((row + 1) * width)
                let sampled = SampledRow(sampler, Array(logits[places]))
                drawn.append(Int32(sampled.draw(noise: sampled.indices.map { noise[row * width + Int($0)] })))
                masks += sampled.mask
                probabilities += sampled.everyProbability
            }
            expectSame(masks, mask, what: "case \(index): mask")
            expectSame(drawn, ids, what: "case \(index): ids")
            try expectClose(
                probabilities, golden.view("case.\(index).probs"), tolerance: 1e-6, what: "case \(index): probabilities"
            )
        }
    }

    /// VAR's `more_smooth`: the weights of the codebook's entries, by what they mix.
    @Test func moreSmoothMixtures() throws {
        let golden = try Golden.open("sampler-a")
        let cases = try golden.config.member("smooth").elements()
        #expect(cases.count == 3)
        for item in cases {
            let index = try item.member("index").integer(), shape = try item.member("shape").integers()
            let sampler = ClassSampler(
                topK: try item.member("top_k").integer(), topP: Float(try item.member("top_p").number()))
            let ratio = Float(try item.member("ratio").number()), tau = Float(try item.member("tau").number())
            let logits = try golden.float32("smooth.\(index).logits"),
                noise = try golden.float32("smooth.\(index).noise")
            let codebook = try golden.float32("smooth.\(index).codebook"), width = shape[2], d = codebook.count / width
            var masks: [UInt8] = [], features: [Float] = []
            for row in 0..<(shape[0] * shape[1]) {
                let sampled = SampledRow(sampler, Array(logits[(row * width)..<((row + 1) * width)]))
                masks += sampled.mask
                let weights = sampled.mixture(
                    noise: sampled.indices.map { noise[row * width + Int($0)] }, ratio: ratio, temperature: tau)
                features += (0..<d).map { i in
                    weights.indices.reduce(Float(0)) { $0 + weights[$1] * codebook[$1 * d + i] }
                }
            }
            expectSame(masks, try golden.uint8("smooth.\(index).mask"), what: "more_smooth \(index): mask")
            try expectClose(
                features, golden.view("smooth.\(index).feature"), tolerance: 1e-4,
                what: "more_smooth \(index): features")
        }
    }

    @Test func drawBitFollowsTheRoutine() {
        var random = SplitMix64(seed: 3)
        for topP in [0, 0.9, 0.97] as [Float] {
            let sampler = ClassSampler(topK: 900, topP: topP)
            for _ in 0..<2000 {
                let logits = random.floats(2, in: -6...6)
                let uniform = random.float(in: 0.001...0.999)
                let drawn = sampler.drawBit(zero: logits[0], one: logits[1], uniform: uniform)
                let p = SampledRow(sampler, logits).everyProbability[1]
                if abs(p - uniform) > 1e-5 {
                    #expect(drawn == (uniform < p), "p \(p), uniform \(uniform), topP \(topP)")
                }
            }
        }
    }

    @Test func topKOfOneIsGreedy() {
        let sampler = ClassSampler(topK: 1, topP: 0)
        #expect(sampler.drawBit(zero: 1, one: 1.5, uniform: 0.999))
        #expect(!sampler.drawBit(zero: 1.5, one: 1, uniform: 0.001))
        #expect(!sampler.drawBit(zero: 1, one: 1, uniform: 0.001), "a tie goes to the lowest index")
    }

    /// Known answers of Philox 4x32-10 published with Random123 (kat_vectors).
    @Test func philoxKnownAnswers() {
        let zero = CounterRandom(seed: 0).words(0, 0, 0, 0)
        #expect(zero == (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        let ones = CounterRandom(seed: .max).words(.max, .max, .max, .max)
        #expect(ones == (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        let pi = CounterRandom(seed: 0x299f_31d0_a409_3822).words(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344)
        #expect(pi == (0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }
}
