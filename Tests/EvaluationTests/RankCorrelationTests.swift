import Foundation
import Testing
import VernierCore

@testable import Evaluation

@Suite struct RankCorrelationTests {
    @Test func tiesShareTheMeanOfTheirRanks() {
        #expect(RankCorrelation.ranks([3, 1, 3, 2, 3]) == [4, 1, 4, 2, 4])
        #expect(RankCorrelation.ranks([2, 2, 1, 1]) == [3.5, 3.5, 1.5, 1.5])
        #expect(RankCorrelation.ranks([]) == [])
    }

    @Test func knownValues() throws {
        // 1 - 6 sum d^2 / (n (n^2 - 1)) without ties: d = 0 -1 1 -1 1 0.
        let plain = try #require(try RankCorrelation([1, 2, 3, 4, 5, 6], [10, 30, 20, 50, 40, 60]))
        #expect(abs(plain.value - (1 - 6 * 4.0 / (6 * 35))) < 1e-12)
        #expect(plain.low < plain.value && plain.value < plain.high && plain.count == 6)
        // With ties, the Pearson correlation of 1.5 1.5 3 4 and 1 2.5 2.5 4: 3.75 / 4.5.
        let tied = try #require(try RankCorrelation([1, 1, 2, 3], [5, 6, 6, 7]))
        #expect(abs(tied.value - 3.75 / 4.5) < 1e-12)
    }

    @Test func onlyTheOrderCounts() throws {
        let values = (0..<20).map { Double(($0 * 7) % 20) }
        let same = try #require(try RankCorrelation(values, values.map { exp($0) }))
        let turned = try #require(try RankCorrelation(values, values.map { -$0 * $0 * $0 }))
        #expect(same.value == 1 && turned.value == -1)
    }

    @Test func theIntervalIsThatOfBonettAndWright() throws {
        let rank = try #require(try RankCorrelation([1, 2, 3, 4, 5, 6], [1, 3, 2, 5, 4, 6]))
        let reach = 1.96 * ((1 + rank.value * rank.value / 2) / 3).squareRoot()
        #expect(abs(rank.low - tanh(atanh(rank.value) - reach)) < 1e-12)
        #expect(abs(rank.high - tanh(atanh(rank.value) + reach)) < 1e-12)
    }

    @Test func whatHasNoOrderHasNoCorrelation() throws {
        #expect(try RankCorrelation([1, 2, 3], [1, 2, 3]) == nil)
        #expect(try RankCorrelation([1, 2, 3, 4], [5, 5, 5, 5]) == nil)
        #expect(#expect(throws: VernierError.self) { try RankCorrelation([1, 2], [1]) }?.code == .mismatch)
        let broken = #expect(throws: VernierError.self) { try RankCorrelation([1, 2, 3, .nan], [1, 2, 3, 4]) }
        #expect(broken?.code == .nonFinite)
    }
}
