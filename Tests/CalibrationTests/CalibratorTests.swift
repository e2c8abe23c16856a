import Calibration
import CalibrationStatistics
import Generation
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import TensorKernels
import TestSupport
import Testing
import VernierCore

/// Calibration runs on the tiny model: what the file holds must not depend on how the run went.
@Suite struct CalibratorTests {
    private static let loaded = Result {
        let tiny = try TinyModel()
        return try withExtendedLifetime(tiny) { try ImageModel(path: tiny.path) }
    }

    private let folder = TemporaryDirectory()
    private let model: ImageModel

    init() throws { model = try Self.loaded.get() }

    private func corpus(_ count: Int) throws -> Corpus {
        let path = folder.file("corpus-\(count).jsonl")
        try AtomicFile.write(TinyModel.corpus(count), to: path)
        return try Corpus(path: path)
    }

    private func request(prompts: Int = 5, seed: UInt64 = 3, batch: Int = 1, interval: Int = 16) throws
        -> CalibrationRequest
    {
        CalibrationRequest(
            corpus: try corpus(prompts), seed: seed, topCounts: [1, 3], batchSize: batch, saveInterval: interval,
            toolVersion: "test")
    }

    private func bytes(_ name: String) throws -> [UInt8] {
        let file = try MappedFile(path: folder.file(name))
        return withExtendedLifetime(file) { Array(file.bytes) }
    }

    private func calibrate(_ request: CalibrationRequest, to name: String) throws -> CalibrationStatistics {
        let calibrator = try Calibrator(model: model, request: request)
        try calibrator.run(savingTo: folder.file(name))
        return calibrator.statistics
    }

    @Test func theBatchSizeDoesNotChangeTheFile() throws {
        let single = try calibrate(request(batch: 1), to: "1.h5")
        #expect(single.promptCount == 5 && single.isComplete)
        #expect(single.hasSketches && single.responses.count == 2, "all kinds of statistics are compared")
        #expect(single.storageErrors.count == 2 && single.settings.storageFormats == [.bfloat16, .int8, .int4])
        let expected = try bytes("1.h5")
        try withEvery("batch", in: [3, 4]) { batch in
            _ = try calibrate(request(batch: batch), to: "\(batch).h5")
            #expect(try bytes("\(batch).h5") == expected)
        }
        #expect(try StatisticsFile.read(folder.file("1.h5")) == single)
    }

    @Test func anotherSeedOrPromptGivesOtherNumbers() throws {
        let one = try calibrate(request(seed: 3), to: "a.h5")
        let other = try calibrate(request(seed: 4), to: "b.h5")
        #expect(one.sums != other.sums)
        let rows = (0..<5).map { Array(one.row(of: .currentMass, prompt: $0)) }
        #expect(Set(rows).count == 5, "every prompt has its own statistics")
    }

    /// Copies the file as it stands after some prompts, and goes on from the copies in new calibrators.
    @Test func aResumedRunEndsWithTheSameBytes() throws {
        let folder = folder
        let interrupted = try Calibrator(model: model, request: request(interval: 2))
        try interrupted.run(savingTo: folder.file("whole.h5")) { report in
            guard let file = try? MappedFile(path: folder.file("whole.h5")) else { return }
            withExtendedLifetime(file) { _ = try? AtomicFile.write($0.bytes, to: folder.file("\(report.done).h5")) }
        }
        let expected = try bytes("whole.h5")
        for (copy, held) in [(2, 2), (3, 2), (4, 4)] {
            // Batches of 4 fall on other prompts than before.
            for batch in [1, 4] {
                let calibrator = try Calibrator(model: model, request: request(batch: batch))
                let saved = try StatisticsFile.read(folder.file("\(copy).h5"))
                #expect(saved.promptCount == held && !saved.isComplete)
                try calibrator.resume(from: saved, name: "\(copy).h5")
                #expect(calibrator.statistics.promptCount == held)
                try calibrator.run(savingTo: folder.file("resumed.h5"))
                #expect(try bytes("resumed.h5") == expected, "from \(copy) prompts with batches of \(batch)")
                // The times are this run's; its first prompts were probed in the other.
                #expect(calibrator.times.pictures == 5 - held && calibrator.times.probedPictures == 0)
                #expect(calibrator.times.measuringSeconds > 0 && calibrator.times.disturbingSeconds == 0)
            }
        }
    }

    @Test func resumingACompleteRunChangesNothing() throws {
        let whole = try calibrate(request(), to: "whole.h5")
        let calibrator = try Calibrator(model: model, request: request())
        try calibrator.resume(from: whole, name: "whole.h5")
        try calibrator.run(savingTo: folder.file("again.h5"))
        #expect(try bytes("again.h5") == bytes("whole.h5"))
    }

    @Test func resumeNamesEveryDifference() throws {
        let saved = try calibrate(request(prompts: 2), to: "saved.h5")
        let other = try TinyModel(seed: 9)
        var wanted = try request(prompts: 3, seed: 4)
        wanted.topCounts = [1, 4]
        let calibrator = try Calibrator(model: ImageModel(path: other.path), request: wanted)
        let error = try #require(throws: VernierError.self) { try calibrator.resume(from: saved, name: "saved.h5") }
        #expect(error.code == .mismatch && error.place == "saved.h5")
        for part in [
            "weights digest", "top counts [1, 4], found [1, 3]", "seed 4, found 3", "corpus", "3 prompts in all",
        ] {
            #expect(error.problems.contains { $0.contains("expected \(part)") }, "\(part): \(error)")
        }
        #expect(error.problems.count == 5, "\(error)")
        #expect(calibrator.statistics.promptCount == 0, "a refused file leaves nothing behind")
    }

    @Test func resumeRefusesNumbersOfAnotherArithmetic() throws {
        let calibrator = try Calibrator(model: model, request: request(prompts: 2))
        let own = calibrator.statistics.settings
        #expect(own.arithmetic == .current)
        let other = try #require(Arithmetic.allCases.first { $0 != .current })
        let saved = try CalibrationStatistics(
            identity: calibrator.statistics.identity, schedule: calibrator.statistics.schedule,
            settings: CalibrationSettings(
                topCounts: own.topCounts, signCount: own.signCount, keepsHalves: own.keepsHalves,
                sensitivityPrompts: own.sensitivityPrompts, storageFormats: own.storageFormats, seed: own.seed,
                guidance: own.guidance, temperature: own.temperature, topP: own.topP, topK: own.topK,
                arithmetic: other, toolVersion: own.toolVersion),
            corpus: calibrator.statistics.corpus)
        let error = try #require(throws: VernierError.self) { try calibrator.resume(from: saved, name: "saved.h5") }
        #expect(error.code == .mismatch && error.place == "saved.h5")
        #expect(
            error.problems == ["expected arithmetic \(own.arithmetic.rawValue), found \(other.rawValue)"], "\(error)")
    }

    @Test func resumeRefusesAJournalOfOtherPrompts() throws {
        let whole = try calibrate(request(prompts: 1), to: "one.h5")
        let wanted = try request(prompts: 2)
        let calibrator = try Calibrator(model: model, request: wanted)
        var forged = calibrator.statistics
        try forged.add(
            whole.sums, corpusIndex: 0, promptDigest: wanted.corpus.prompts[1].digest, sketches: whole.sketches,
            responses: whole.responses[0], storageErrors: whole.storageErrors[0])
        let error = try #require(throws: VernierError.self) { try calibrator.resume(from: forged, name: "f.h5") }
        #expect(
            error.code == .corruptState && error.description.contains("f.h5: entry 0 of the journal is not prompt 0"))
        var skipping = calibrator.statistics
        try skipping.add(
            whole.sums, corpusIndex: 1, promptDigest: wanted.corpus.prompts[1].digest, sketches: whole.sketches,
            responses: whole.responses[0], storageErrors: whole.storageErrors[0])
        #expect(throws: VernierError.self) { try calibrator.resume(from: skipping, name: "s.h5") }
    }

    @Test func requestsWithoutPromptsOrOutOfRangeAreRefused() throws {
        func refused(_ code: VernierError.Code, _ change: (inout CalibrationRequest) -> Void) throws {
            var wanted = try request(prompts: 1)
            change(&wanted)
            let error = try #require(throws: VernierError.self) { try Calibrator(model: model, request: wanted) }
            #expect(error.code == code, "\(error)")
        }
        try refused(.emptyInput) { $0.limit = 0 }
        try refused(.emptyInput) { $0.limit = -1 }
        try refused(.invalidArgument) { $0.batchSize = 0 }
        try refused(.invalidArgument) { $0.saveInterval = 0 }
        try refused(.invalidArgument) { $0.topCounts = [4, 1] }
        try refused(.invalidArgument) {
            $0.settings = model.defaultSettings
            $0.settings?.guidance = [1, 2]
        }
    }

    @Test func sketchesAreLeftOutOnDemandAndSettleResuming() throws {
        var without = try request(prompts: 2)
        without.signCount = 0
        let plain = try calibrate(without, to: "plain.h5")
        #expect(!plain.hasSketches && plain.layout.signCount == 0)
        let whole = try calibrate(request(prompts: 2), to: "whole.h5")
        #expect(whole.hasSketches && whole.layout.signCount == 32)
        #expect(plain.sums[.positionWeight] == whole.sums[.positionWeight], "sketching changes nothing else")
        let calibrator = try Calibrator(model: model, request: request(prompts: 2))
        let error = try #require(throws: VernierError.self) { try calibrator.resume(from: plain, name: "plain.h5") }
        #expect(error.problems == ["expected signs 32, found 0", "expected halves true, found false"])
        let plan = calibrator.plan()
        // 2 branches, 2 layers, 2 heads: 20 positions of attention and keys, 14 of values; twice with a half.
        #expect(plan.contains("32 signs: \(16 * 54 * 32) sums, \(4 * 16 * 54 * 32) bytes"), "\(plan)")
        var unsplit = try request(prompts: 2)
        unsplit.keepsHalves = false
        let smaller = try Calibrator(model: model, request: unsplit).plan()
        #expect(smaller.contains("32 signs: \(8 * 54 * 32) sums, \(4 * 8 * 54 * 32) bytes"), "\(smaller)")
        #expect(whole.hasHalves && whole.halfCounts == (1, 1))
        let single = try calibrate(unsplit, to: "unsplit.h5")
        #expect(!single.hasHalves && single.sketches == whole.sketches && single.sums == whole.sums)
    }

    @Test func aLimitTakesTheFirstPromptsOnly() throws {
        var wanted = try request(prompts: 5)
        wanted.limit = 2
        let limited = try calibrate(wanted, to: "limited.h5")
        let whole = try calibrate(request(prompts: 5), to: "whole.h5")
        #expect(limited.promptCount == 2 && limited.isComplete)
        #expect(limited.journal == Array(whole.journal.prefix(2)))
        #expect(limited.row(of: .topMass, prompt: 1) == whole.row(of: .topMass, prompt: 1))
    }

    @Test func theFileCompilesToAProfileOfThisModel() throws {
        let statistics = try calibrate(request(), to: "whole.h5")
        let profile = try compile(
            statistics: statistics,
            request: CompilationRequest(
                policy: .init(name: "scalekv"), budget: .keptShare(0.5), toolVersion: "test"))
        try profile.requireFit(model: model.identity, schedule: model.schedule)
        #expect(profile.provenance.promptCount == 5)
    }
}
