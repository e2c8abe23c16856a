import Evaluation
import Foundation
import Generation
import ProfileCompiler
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import Frontier

@Suite struct RankTests {
    private let bench: Bench
    private let folder = TemporaryDirectory()

    init() throws { bench = try Bench.shared.get() }

    private func request(count: Int = 4, share: Double = 0.4, batch: Int = 2) -> RankRequest {
        RankRequest(
            count: count, share: share, shares: 0.3...0.8, seed: 3, prompts: Array(bench.prompts.prefix(2)),
            corpusDigest: bench.corpusDigest, batchSize: batch, toolVersion: "test")
    }

    private func run(_ request: RankRequest, _ name: String) throws -> RankReport {
        let report = try RankTrial(model: bench.model, statistics: bench.statistics, request: request).run()
        try RankFolder(path: folder.file(name)).write(report)
        return report
    }

    @Test func everyProfileIsPredictedAndMeasured() throws {
        let report = try run(request(), "out")
        #expect(report.equal.map(\.name) == ["equal-00", "equal-01", "equal-02", "equal-03"])
        #expect(report.mixed.count == 4)
        #expect(Set(report.equal.map(\.profile.realisedBudget.lastScaleSlots)).count == 1)
        for entry in report.equal + report.mixed {
            #expect(entry.predicted.total > 0 && entry.divergence > 0 && entry.psnrDecibels.isFinite)
            #expect(entry.divergenceByScale.count == bench.model.schedule.scaleCount)
            let written = try Profile(contentsOf: folder.file("out/profiles/\(entry.name).json"))
            #expect(written == entry.profile)
        }
        for entry in report.mixed { #expect((0.2...0.8).contains(entry.profile.realisedBudget.keptShare)) }
        let agreement = try report.agreement(report.mixed)
        #expect(agreement.divergence.map { (-1...1).contains($0.value) } == true)
        let text = try report.markdown()
        #expect(text.contains("| one budget, 40 %") && text.contains("mixed-03"))
    }

    @Test func theSameRequestGivesTheSameBytes() throws {
        _ = try run(request(), "a")
        _ = try run(request(batch: 1), "b")
        #expect(try contents(of: folder.file("a")) == contents(of: folder.file("b")))
    }

    @Test func wrongRequestsAreRefused() throws {
        for wrong in [request(count: 3), request(share: 0), request(share: 1.5)] {
            let error = #expect(throws: VernierError.self) {
                try RankTrial(model: bench.model, statistics: bench.statistics, request: wrong)
            }
            #expect(error?.code == .invalidArgument)
        }
    }
}
