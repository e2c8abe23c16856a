import Foundation
import TestSupport
import Testing
import VernierCore

@testable import Evaluation

@Suite struct IntervalTests {
    @Test func theGeneratorIsSplitMix64() {
        // The published sequence of seed 1234567.
        let generator = CounterGenerator(seed: 1_234_567)
        let published: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
        #expect((0..<5).map { generator.bits(at: UInt64($0)) } == published)
    }

    @Test func indicesAreInRangeAndEven() {
        let generator = CounterGenerator(seed: 1)
        var counts = [Int](repeating: 0, count: 7)
        for counter in 0..<70_000 { counts[generator.index(at: UInt64(counter), below: 7)] += 1 }
        #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })  // five standard deviations
    }

    @Test func constantDataHaveNoWidth() throws {
        for value in [0.1, -3, 1e300, 0] {
            let estimate = try BootstrapInterval.ofMean([Double](repeating: value, count: 7), seed: 2)
            #expect(estimate == Estimate(mean: value, low: value, high: value, count: 7))
        }
        #expect(try BootstrapInterval.ofMean([5], seed: 0) == Estimate(mean: 5, low: 5, high: 5, count: 1))
    }

    @Test func theSameSeedGivesTheSameInterval() throws {
        let values = (0..<40).map { sin(Double($0)) }
        let first = try BootstrapInterval.ofMean(values, seed: 9)
        #expect(try BootstrapInterval.ofMean(values, seed: 9) == first)
        #expect(try BootstrapInterval.ofMean(values, seed: 10) != first)
        #expect(first.low < first.mean && first.mean < first.high)
        #expect(first.count == 40)
    }

    @Test func intervalsCoverTheTrueMean() throws {
        // 400 samples of 40 numbers, each the sum of three uniform ones: true mean 1.5. The percentile interval of 40
        // values covers a little less than 95 %; three standard deviations of the count are 3.3 %.
        var generator = SplitMix64(seed: 12)
        var covered = 0
        for seed in 0..<400 {
            let values = (0..<40).map { _ in
                (0..<3).reduce(0.0) { sum, _ in sum + Double.random(in: 0..<1, using: &generator) }
            }
            let estimate = try BootstrapInterval.ofMean(values, seed: UInt64(seed))
            if estimate.low <= 1.5 && 1.5 <= estimate.high { covered += 1 }
        }
        #expect((0.90...0.98).contains(Double(covered) / 400))
    }

    @Test func widthIsThatOfTheNormalInterval() throws {
        var generator = SplitMix64(seed: 13)
        let values = (0..<500).map { _ in Double.random(in: 0..<1, using: &generator) }
        let estimate = try BootstrapInterval.ofMean(values, seed: 1)
        let normal = 2 * 1.96 * (1.0 / 12 / 500).squareRoot()
        #expect(abs((estimate.high - estimate.low) / normal - 1) < 0.1)
    }

    @Test func pairedDifferencesAreNarrowerThanTheirParts() throws {
        var generator = SplitMix64(seed: 14)
        let baseline = (0..<50).map { _ in Double.random(in: 0..<10, using: &generator) }
        let values = baseline.map { $0 + 0.5 + Double.random(in: -0.1..<0.1, using: &generator) }
        let difference = try BootstrapInterval.ofPairedDifference(values, baseline, seed: 1)
        #expect(difference.low > 0.4 && difference.high < 0.6)
        let alone = try BootstrapInterval.ofMean(values, seed: 1)
        #expect(difference.high - difference.low < (alone.high - alone.low) / 10)
        #expect(throws: VernierError.self) { try BootstrapInterval.ofPairedDifference([1], [1, 2], seed: 0) }
    }

    @Test func badValuesAreRefused() {
        let empty = #expect(throws: VernierError.self) { try BootstrapInterval.ofMean([], seed: 0) }
        #expect(empty?.code == .emptyInput)
        let infinite = #expect(throws: VernierError.self) { try BootstrapInterval.ofMean([1, .infinity], seed: 0) }
        #expect(infinite?.code == .nonFinite)
        #expect(infinite?.description.contains("prompt 1") == true)
    }

    @Test func wilsonIntervalsHaveTheirPublishedValues() throws {
        // Newcombe 1998, table I, method 3 (score without correction): 81/263, 15/148, 0/20, 1/29.
        for (successes, trials, low, high) in [
            (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718),
        ] {
            let estimate = try #require(WilsonInterval.ofShare(successes: successes, trials: trials))
            #expect(abs(estimate.low - low) < 6e-5 && abs(estimate.high - high) < 6e-5)
        }
        #expect(WilsonInterval.ofShare(successes: 0, trials: 0) == nil)
        #expect(WilsonInterval.ofShare(successes: 9, trials: 9)?.high == 1)
    }
}
