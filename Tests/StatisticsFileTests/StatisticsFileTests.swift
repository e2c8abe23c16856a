import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import StatisticsFile

@Suite struct StatisticsFileTests {
    @Test func comesBackBitForBit() throws {
        let folder = TemporaryDirectory()
        try withEvery("prompts, signs", in: [(0, 0), (1, 0), (4, 0), (6, 0), (0, 3), (2, 3), (6, 16)]) {
            prompts, signs in
            let statistics = try SmallCalibration.counted(
                0..<prompts, signs: signs, halves: signs == 3, probed: signs)
            let path = folder.file("\(prompts).h5")
            try StatisticsFile.write(statistics, to: path)
            let read = try StatisticsFile.read(path)
            #expect(read == statistics)
            for statistic in Statistic.all {
                expectSame(
                    read.sums[statistic].map(\.bitPattern), statistics.sums[statistic].map(\.bitPattern),
                    what: "sums of \(statistic)")
            }
            for sketch in Sketch.all {
                expectSame(
                    read.sketches[sketch].map(\.bitPattern), statistics.sketches[sketch].map(\.bitPattern),
                    what: "the \(sketch) sketch")
            }
            let again = folder.file("again.h5")
            try StatisticsFile.write(read, to: again)
            #expect(try StatisticsFile.digest(again) == StatisticsFile.digest(path))
        }
    }

    @Test func anUnusualScheduleComesBack() throws {
        let folder = TemporaryDirectory()
        for sides in [[(1, 1)], [(3, 1), (1, 5)]] {
            var statistics = try CalibrationStatistics(
                identity: SmallCalibration.identity(layers: 1), schedule: SmallCalibration.schedule(sides),
                settings: SmallCalibration.settings(topCounts: [7], signs: 2, probed: 1),
                corpus: CorpusReference(digest: "", promptCount: 1))
            try SmallCalibration.add(0, to: &statistics)
            try StatisticsFile.write(statistics, to: folder.file("s.h5"))
            #expect(try StatisticsFile.read(folder.file("s.h5")) == statistics)
        }
    }

    @Test func aContinuedRunEqualsAnUninterruptedOne() throws {
        let folder = TemporaryDirectory()
        let path = folder.file("run.h5")
        let whole = try SmallCalibration.counted(0..<6, signs: 4, probed: 2)
        try StatisticsFile.write(whole, to: folder.file("whole.h5"))
        try withEvery("interrupted after", in: 0...6) { prompts in
            try StatisticsFile.write(SmallCalibration.counted(0..<prompts, signs: 4, probed: 2), to: path)
            var statistics = try StatisticsFile.read(path)
            for index in prompts..<6 { try SmallCalibration.add(index, to: &statistics) }
            try StatisticsFile.write(statistics, to: path)
            #expect(statistics == whole)
            #expect(try StatisticsFile.digest(path) == StatisticsFile.digest(folder.file("whole.h5")))
        }
    }

    @Test func theSummaryTellsWhatIsInside() throws {
        let folder = TemporaryDirectory()
        let path = folder.file("s.h5")
        let statistics = try SmallCalibration.counted(0..<2)
        try StatisticsFile.write(statistics, to: path)
        let summary = try StatisticsFile.readSummary(path)
        #expect(summary.identity == statistics.identity)
        #expect(summary.schedule == statistics.schedule)
        #expect(summary.settings == statistics.settings)
        #expect(summary.corpus == statistics.corpus)
        #expect(summary.promptCount == 2)
        #expect(!summary.isComplete)
        let bytes = Bytes(path).all
        #expect(summary.fileBytes == bytes.count)
        #expect(summary.fileDigest == Digest.of(bytes))
        #expect(try StatisticsFile.digest(path) == Digest.of(bytes))
        try StatisticsFile.write(SmallCalibration.counted(0..<6), to: path)
        #expect(try StatisticsFile.readSummary(path).isComplete)
    }

    @Test func failedWritingLeavesTheOldFile() throws {
        let folder = TemporaryDirectory()
        let path = folder.file("s.h5")
        let old = try SmallCalibration.counted(0..<2)
        try StatisticsFile.write(old, to: path)
        let unwritable = try CalibrationStatistics(
            identity: SmallCalibration.identity(), schedule: SmallCalibration.schedule(),
            settings: SmallCalibration.settings(),
            corpus: CorpusReference(digest: String(repeating: "x", count: 5000), promptCount: 1))
        let text = message { try StatisticsFile.write(unwritable, to: path) }
        #expect(text.contains("s.h5, 'corpusDigest': expected at most 4096 bytes of text without a zero byte"))
        #expect(try StatisticsFile.read(path) == old)
        let missing = message { try StatisticsFile.write(old, to: folder.file("no/s.h5")) }
        #expect(missing.hasPrefix("s.h5: cannot create the file: "), "\(missing)")
        #expect(message { try StatisticsFile.read(folder.file("none.h5")) }.hasPrefix("none.h5: cannot open the file"))
    }

    @Test func manyThreadsMayWriteAndReadAtOnce() async throws {
        let folder = TemporaryDirectory()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<8 {
                group.addTask {
                    let statistics = try SmallCalibration.counted([index % 6])
                    try StatisticsFile.write(statistics, to: folder.file("\(index).h5"))
                    return try StatisticsFile.read(folder.file("\(index).h5")) == statistics
                }
            }
            for try await isSame in group { #expect(isSame) }
        }
    }
}
