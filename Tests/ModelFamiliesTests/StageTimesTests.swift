import Generation
import ModelFamilies
import Synchronization
import TestSupport
import Testing

/// Stages leave nothing out and count nothing twice.
@Suite struct StageTimesTests {
    /// A clock that advances by one second a reading.
    private final class Ticks: Sendable {
        private let count = Mutex(0)

        var clock: StageClock { StageClock { Double(self.next()) } }
        var readings: Int { count.withLock { $0 } }

        private func next() -> Int {
            count.withLock {
                $0 += 1
                return $0
            }
        }
    }

    @Test(arguments: ["inf-a", "var-b"]) func stagesAddUpToTheReadingsOfTheClock(_ name: String) throws {
        let golden = try GoldenCase(name), ticks = Ticks(), clock = ticks.clock
        let output = try NextScaleGenerator(model: golden.model, cache: golden.makeCache()).generate(
            conditions: golden.conditions, seeds: golden.seeds, settings: golden.settings, clock: clock)
        #expect(output.times.totalSeconds == Double(ticks.readings - 1), "every interval between readings is counted")
        #expect(output.times.transformerSeconds.allSatisfy { $0 == 1 })
        #expect(output.times.textSeconds == 1)
        var following = output.clock
        #expect(following.lap() == 1, "what follows begins where the last stage ended")
    }

    @Test func stagesOfAPictureTakeNoLongerThanThePicture() throws {
        let model = try ImageModel(path: TangramParityTests.modelPath), generator = try ImageGenerator(model: model)
        var clock = StageClock()
        let request = try model.request(
            for: CorpusPrompt(index: 0, subject: .text("a small red circle on a white background")), seed: 1)
        _ = try generator.generateBatch([request], settings: model.defaultSettings)
        let elapsed = clock.lap(), times = try #require(generator.report).times
        #expect(request.encodingSeconds > 0 && times.textSeconds >= request.encodingSeconds)
        #expect(times.decodeSeconds > 0 && times.samplingSeconds > 0 && times.transformerSeconds.allSatisfy { $0 > 0 })
        #expect(times.totalSeconds <= elapsed, "\(times.totalSeconds) of \(elapsed) s")
    }
}
