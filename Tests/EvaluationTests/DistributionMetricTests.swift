import Evaluation
import Foundation
import Generation
import TestSupport
import Testing
import VernierCore

@Suite struct DistributionMetricTests {
    private func divergence(_ teacher: [Float], _ compressed: [Float]) throws -> Double {
        try teacher.withUnsafeBufferPointer { a in
            try compressed.withUnsafeBufferPointer { b in try forcedDecodingKL(teacher: a, compressed: b) }
        }
    }

    // MARK: Bits

    @Test func agreementIsTheShareOfEqualBits() throws {
        #expect(try BitAgreement.share([0, 1, 1, 0] as [UInt8], [0, 1, 0, 0]) == 0.75)
        #expect(try BitAgreement.share([true], [true]) == 1)
        #expect(throws: VernierError.self) { try BitAgreement.share([1, 2], [1]) }
        #expect(throws: VernierError.self) { try BitAgreement.share([Int](), []) }
    }

    // MARK: Divergence

    @Test func divergenceHasItsTextbookValues() throws {
        // p = 1/2 against q = 1/4: 1/2 ln 2 + 1/2 ln (2/3).
        let expected = 0.5 * log(2) + 0.5 * log(2.0 / 3)
        #expect(abs(try divergence([0, 0], [Float(log(3.0)), 0]) - expected) < 1e-7)
        // Only the difference of a pair counts: adding to both logits changes nothing.
        #expect(try divergence([5, 5, -1, 2], [1, 3, -1, 2]) == divergence([0, 0, 8, 11], [-4, -2, 8, 11]))
        // The certain teacher against a fair coin: ln 2.
        #expect(abs(try divergence([-500, 500], [0, 0]) - log(2)) < 1e-12)
        // The fair coin against a certain run: half of its log odds less ln 2.
        #expect(abs(try divergence([0, 0], [-500, 500]) - (500 - log(2))) < 1e-9)
    }

    @Test func divergenceIsNeverNegativeAndZeroForEqualLogits() throws {
        var generator = SplitMix64(seed: 4)
        for magnitude in [1e-3, 1, 30, 1e6, 1e30] as [Float] {
            for _ in 0..<200 {
                let (a, b) = (
                    generator.floats(8, in: -magnitude...magnitude), generator.floats(8, in: -magnitude...magnitude)
                )
                let value = try divergence(a, b)
                #expect(value.isFinite && value >= 0)
                #expect(try divergence(a, a) == 0)
            }
        }
    }

    @Test func divergenceMatchesTheDefinitionWhereThatIsSafe() throws {
        var generator = SplitMix64(seed: 5)
        for _ in 0..<500 {
            let (t, c) = (Double(generator.float(in: -12...12)), Double(generator.float(in: -12...12)))
            let (p, q) = (1 / (1 + exp(-t)), 1 / (1 + exp(-c)))
            let definition = p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))
            let value = ForcedDecodingDivergence.nats(teacherLogOdds: t, compressedLogOdds: c)
            #expect(abs(value - definition) < 1e-9 * max(1, definition))
        }
    }

    @Test func sumsMayBeAddedInAnyGrouping() throws {
        var generator = SplitMix64(seed: 6)
        let (a, b) = (generator.floats(40), generator.floats(40))
        var (whole, halves) = (ForcedDecodingDivergence(), ForcedDecodingDivergence())
        func add(_ range: Range<Int>, _ sum: inout ForcedDecodingDivergence) throws {
            try a[range].withUnsafeBufferPointer { a in
                try b[range].withUnsafeBufferPointer { b in try sum.add(teacher: a, compressed: b) }
            }
        }
        try add(0..<40, &whole)
        for range in [16..<40, 0..<16] {
            var part = ForcedDecodingDivergence()
            try add(range, &part)
            halves.add(part)
        }
        #expect(whole.choices == 20 && halves.choices == 20)
        let (x, y) = (try #require(whole.meanNats), try #require(halves.meanNats))
        #expect(abs(x - y) < 1e-15)
        #expect(ForcedDecodingDivergence().meanNats == nil)
    }

    private func divergence(_ teacher: [Float], _ compressed: [Float], values: Int) throws -> Double {
        try teacher.withUnsafeBufferPointer { a in
            try compressed.withUnsafeBufferPointer { b in
                try forcedDecodingKL(teacher: a, compressed: b, values: values)
            }
        }
    }

    /// Choices among many values, as VAR's tokens are.
    @Test func divergenceOfManyValues() throws {
        // (1/2, 1/4, 1/4) against (1/4, 1/4, 1/2): 1/2 ln 2 + 1/4 ln (1/2) = 1/4 ln 2.
        let (half, quarter) = (Float(log(0.5)), Float(log(0.25)))
        let value = try divergence([half, quarter, quarter], [quarter, quarter, half], values: 3)
        #expect(abs(value - 0.25 * log(2)) < 1e-7)
        // A choice's logits count only up to a common shift; two choices give the mean.
        let shifted = try divergence(
            [half + 8, quarter + 8, quarter + 8, 1, 2, 3], [quarter, quarter, half, 1, 2, 3], values: 3)
        #expect(abs(shifted - value / 2) < 1e-6)
        // A certain teacher against an even run of three: ln 3; an even one against a certain run.
        #expect(abs(try divergence([-500, 500, -500], [7, 7, 7], values: 3) - log(3)) < 1e-12)
        #expect(abs(try divergence([0, 0, 0], [0, 600, 0], values: 3) - (400 - log(3))) < 1e-9)
        // Two values by the general formula are the bit's.
        var generator = SplitMix64(seed: 8)
        for _ in 0..<200 {
            let (t, c) = (generator.floats(2, in: -12...12), generator.floats(2, in: -12...12))
            let general = t.withUnsafeBufferPointer { t in
                c.withUnsafeBufferPointer { ForcedDecodingDivergence.nats(teacher: t, compressed: $0) }
            }
            #expect(abs(general - (try divergence(t, c))) < 1e-12)
        }
        for magnitude in [1e-3, 1, 30, 1e6, 1e30] as [Float] {
            for _ in 0..<100 {
                let a = generator.floats(15, in: -magnitude...magnitude)
                let b = generator.floats(15, in: -magnitude...magnitude)
                let value = try divergence(a, b, values: 5)
                #expect(value.isFinite && value >= 0)
                #expect(try divergence(a, a, values: 5) == 0)
            }
        }
        #expect(throws: VernierError.self) { try divergence([1, 2, 3, 4], [1, 2, 3, 4], values: 3) }
    }

    @Test func badLogitsAreRefusedAndLeaveTheSumAlone() throws {
        #expect(throws: VernierError.self) { try divergence([1, 2], [1]) }
        #expect(throws: VernierError.self) { try divergence([1], [1]) }
        #expect(throws: VernierError.self) { try divergence([], []) }
        for bad in [Float.nan, .infinity] {
            let error = #expect(throws: VernierError.self) { try divergence([0, 1, 0, 0], [0, 1, 0, bad]) }
            #expect(error?.code == .nonFinite)
            #expect(error?.description.contains("at choice 1") == true)
        }
    }
}
