import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@Suite struct MergingTests {
    @Test func mergingIsAdditionWhateverTheOrder() throws {
        let whole = try SmallCalibration.counted(0..<6, signs: 3, probed: 3)
        let parts = try [[0, 4], [1, 5], [2, 3]].map { try SmallCalibration.counted($0, signs: 3, probed: 3) }
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let (a, b, c) = (parts[order[0]], parts[order[1]], parts[order[2]])
            for merged in [try a.merging(b).merging(c), try a.merging(b.merging(c))] {
                #expect(merged.journal == whole.journal)
                #expect(merged.counts == whole.counts)
                #expect(merged.isComplete)
                #expect(merged.responses == whole.responses && whole.responses.count == 3)
                #expect(merged.storageErrors == whole.storageErrors && whole.storageErrors.count == 3)
                for statistic in Statistic.withRows {
                    #expect(merged.sums[statistic] == whole.sums[statistic], "\(statistic) bit for bit")
                    #expect(merged.rows(of: statistic) == whole.rows(of: statistic))
                }
                for statistic in Statistic.all where !statistic.keepsRows {
                    // Six numbers of like size: a few units in the last place.
                    #expect(
                        zip(merged.sums[statistic], whole.sums[statistic]).allSatisfy {
                            abs($0 - $1) <= 4 * max($0, $1).ulp
                        })
                }
            }
        }
        #expect(try parts[0].merging(parts[1]) == parts[1].merging(parts[0]))
    }

    /// Halves go by the place in the corpus, whichever shard a prompt was in.
    @Test func halvesAddUp() throws {
        let whole = try SmallCalibration.counted(0..<6, signs: 3, halves: true)
        let parts = try [[0, 3, 4], [1, 2, 5]].map { try SmallCalibration.counted($0, signs: 3, halves: true) }
        let merged = try parts[0].merging(parts[1])
        #expect(merged.evenSketches.promptCount == 3 && merged.hasHalves && merged.coverageProblems().isEmpty)
        let halves = try [true, false].map { try #require(whole.half(even: $0)) }
        for (half, indices) in zip(halves, [[0, 2, 4], [1, 3, 5]]) {
            let alone = try SmallCalibration.counted(indices, signs: 3)
            #expect(half.sketches.promptCount == 6 && half.sums == whole.sums)
            for sketch in Sketch.all {
                // Three prompts that stand for six.
                expectClose(
                    half.sketches[sketch], alone.sketches[sketch].map { $0 * Float(2).squareRoot() }, tolerance: 1e-4,
                    what: "half of \(sketch)")
                expectClose(
                    merged.evenSketches[sketch], whole.evenSketches[sketch], tolerance: 1e-4, what: "merged \(sketch)")
            }
        }
        #expect(try !SmallCalibration.counted(0..<1, signs: 3, halves: true).hasHalves, "one prompt has no halves")
        #expect(try SmallCalibration.counted(0..<6, signs: 3).half(even: true) == nil)
        #expect(throws: VernierError.self) { try SmallCalibration.settings(halves: true) }
        #expect(
            message {
                try SmallCalibration.counted([0], signs: 3, halves: true)
                    .merging(SmallCalibration.counted([1], signs: 3))
            }
            .contains("halves"))
    }

    @Test func numbersOfTwoArithmeticsAreNotAdded() throws {
        let wide = try SmallCalibration.counted([0, 1])
        let narrow = try SmallCalibration.counted([2, 3], arithmetic: .bfloat16)
        let error = try #require(throws: VernierError.self) { try wide.merging(narrow) }
        #expect(
            error.code == .mismatch && error.problems == ["expected arithmetic float32, found bfloat16"], "\(error)")
        #expect(message { try narrow.merging(wide) }.contains("expected arithmetic bfloat16, found float32"))
        let both = try narrow.merging(SmallCalibration.counted([0, 1], arithmetic: .bfloat16))
        #expect(both.promptCount == 4 && both.settings.arithmetic == .bfloat16)
    }

    @Test func sketchesAddUp() throws {
        let parts = try [[0, 4], [1, 5], [2, 3]].map { try SmallCalibration.counted($0, signs: 3) }
        let whole = try SmallCalibration.counted(0..<6, signs: 3)
        let merged = try parts[2].merging(parts[0]).merging(parts[1])
        #expect(merged.sketches.promptCount == 6 && merged.coverageProblems().isEmpty)
        for sketch in Sketch.all {
            // Six numbers of up to 50: a few units in the last place of their largest partial sum.
            expectClose(merged.sketches[sketch], whole.sketches[sketch], tolerance: 1e-4, what: "\(sketch)")
            let two = try parts[0].merging(parts[1]).sketches[sketch]
            expectSame(
                two.map(\.bitPattern),
                zip(parts[0].sketches[sketch], parts[1].sketches[sketch]).map { ($0 + $1).bitPattern },
                what: "the sum of two")
        }
    }

    @Test func nothingIsTheNeutralElement() throws {
        let some = try SmallCalibration.counted([1, 3])
        #expect(try some.merging(SmallCalibration.empty()) == some)
        #expect(try SmallCalibration.empty().merging(some) == some)
    }

    @Test func namesEveryDifferenceInOneMessage() throws {
        let one = try SmallCalibration.counted([0])
        let other = try CalibrationStatistics(
            identity: SmallCalibration.identity(layers: 4, family: "var"),
            schedule: SmallCalibration.schedule([(1, 1), (2, 2)]),
            settings: SmallCalibration.settings(signs: 8, probed: 1, seed: 2),
            corpus: CorpusReference(digest: SmallCalibration.weightsDigest, promptCount: 7))
        let text = message { try one.merging(other) }
        for part in [
            "merging statistics: ", "expected family \"infinity\", found \"var\"", "expected 3 layers, found 4",
            "found 1x1 2x2;",
            "expected signs 0, found 8",
            "expected sensitivity prompts 0, found 1", "expected storage formats none, found bfloat16 int8 int4",
            "expected seed \(UInt64.max), found 2", "of 6 prompts",
            "of 7. Merge",
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
    }

    @Test func refusesPromptsCountedTwice() throws {
        let text = message {
            try SmallCalibration.counted([0, 1, 4]).merging(SmallCalibration.counted([1, 2, 4]))
        }
        #expect(text.contains("expected each prompt in one file only, found 2 in both (1, 4)"))
    }
}
