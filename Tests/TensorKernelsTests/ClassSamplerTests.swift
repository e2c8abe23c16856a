import CKernels
import TensorKernels
import TestSupport
import Testing

/// The sampler, which looks only at classes that can be drawn, against the plain routine over all classes: the same
/// classes, the same bits, on every instruction set.
@Suite(.serialized) struct ClassSamplerTests {
    /// Rows of logits that are easy to get wrong, besides random ones.
    private static func rows(_ width: Int) -> [(what: String, logits: [Float])] {
        var random = SplitMix64(seed: UInt64(width))
        let wide = random.floats(width, in: -8...8)
        return [
            ("random", wide),
            ("negative", wide.map { -abs($0) - 1 }),
            ("close together", wide.map { 3 + $0 * 1e-6 }),
            ("tied", wide.map { ($0 * 2).rounded() / 2 }),
            ("tied zeros", wide.map { $0 > 4 ? $0 : $0 > 0 ? 0 : -0.0 }),
            ("flat", [Float](repeating: 1.25, count: width)),
            ("flat zeros", (0..<width).map { $0 % 2 == 0 ? 0 : -0.0 }),
            ("one peak", (0..<width).map { $0 == width / 2 ? 200 : -1 }),
            ("two peaks", (0..<width).map { $0 % max(width - 2, 1) == 1 ? 90 : $0 % 3 == 0 ? -90 : 0 }),
            ("huge and tiny", wide.map { $0 > 6 ? $0 * 1e35 : $0 * 0x1p-140 }),
            ("ascending", (0..<width).map { Float($0) / 64 }),
            ("descending", (0..<width).map { Float(-$0) / 64 }),
        ]
    }

    @Test func drawsTheBitsOfThePlainRoutine() throws {
        defer { vk_isa_force(vk_isa_best()) }
        try withEvery("width", in: [1, 2, 3, 17, 300, 4096]) { width in
            let scratch = FloatBuffer(count: ClassScratch.count(classes: width))
            for (what, logits) in Self.rows(width) {
                try withEvery("topK", in: [0, 1, 2, 900, width]) { topK in
                    try withEvery("topP", in: [0, 0.5, 0.96, 1] as [Float]) { topP in
                        let plain = PlainSampler(topK: topK, topP: topP), random = CounterRandom(seed: 0xFEED_5EED)
                        let masked = plain.masked(logits)
                        let p = plain.probabilities(masked)
                        let kept = masked.indices.filter { masked[$0] > -.infinity }
                        let drawn = plain.draw(p) { PlainSampler.noise(random, 5, 7, 0, index: $0) }
                        let mixed = plain.mixture(masked, ratio: 0.5, temperature: 0.1) {
                            PlainSampler.noise(random, 5, 7, 0, index: $0)
                        }
                        // Sorting 4096 numbers in a test that many times is slow enough; one path each suffices there.
                        for isa in width == 4096 ? vk_isa_best()...vk_isa_best() : 0...vk_isa_best() {
                            vk_isa_force(isa)
                            let candidates = ClassSampler(topK: topK, topP: topP).candidates(
                                of: logits, count: width,
                                scratch: ClassScratch(block: scratch.pointer, classes: width))
                            expectSame(candidates.indices.map(Int.init), kept, what: "\(what): classes left")
                            expectSame(
                                candidates.probabilities.map(\.bitPattern), kept.map { p[$0].bitPattern },
                                what: "\(what): bits of probabilities")
                            let noise = candidates.noise(random, 5, 7, 0)
                            #expect(candidates.draw(noise: noise) == drawn, "\(what)")
                            var weights = [Float](repeating: .nan, count: width)
                            candidates.mix(
                                noise: noise, ratio: 0.5, temperature: 0.1, into: &weights, classes: width)
                            expectSame(
                                weights.map(\.bitPattern), mixed.map(\.bitPattern), what: "\(what): bits of mixtures")
                        }
                    }
                }
            }
        }
    }

    /// What is not a number, or minus infinity, cannot be drawn and does no harm.
    @Test func logitsThatCannotBeDrawn() {
        let logits: [Float] = [-.infinity, 1, .nan, -.nan, 2, -.infinity]
        let scratch = FloatBuffer(count: ClassScratch.count(classes: logits.count))
        for topK in [0, 1, 2, 3, 5] {
            for topP in [0, 0.5, 1] as [Float] {
                let sampler = ClassSampler(topK: topK, topP: topP)
                let memory = ClassScratch(block: scratch.pointer, classes: logits.count)
                let left = sampler.candidates(of: logits, count: logits.count, scratch: memory)
                #expect(left.indices.allSatisfy { $0 == 1 || $0 == 4 } && left.indices.contains(4))
                let none = sampler.candidates(of: [-.infinity, .nan], count: 2, scratch: memory)
                #expect(none.count == 0 && none.draw(noise: none.noise(CounterRandom(seed: 1), 0, 0, 0)) == 0)
            }
        }
    }

    @Test func wordsOfManyCountersAreThoseOfEach() throws {
        defer { vk_isa_force(vk_isa_best()) }
        let random = CounterRandom(seed: 0x0123_4567_89AB_CDEF)
        try withEvery("count", in: [0, 1, 15, 16, 17, 40]) { count in
            let counters = (0..<count).map { UInt32(truncatingIfNeeded: $0 &* 0x9E37_79B1) }
            let expected = counters.flatMap { counter -> [UInt32] in
                let w = random.words(11, counter, .max, 7)
                return [w.0, w.1, w.2, w.3]
            }
            for isa in 0...vk_isa_best() {
                vk_isa_force(isa)
                var words = [UInt32](repeating: 0, count: 4 * count + 1)
                random.words(11, counters, .max, 7, count: count, into: &words)
                expectSame(words, expected + [0], what: "words on path \(isa)")
            }
        }
    }
}
