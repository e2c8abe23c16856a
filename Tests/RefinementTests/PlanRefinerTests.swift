import Calibration
import Generation
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import TestSupport
import Testing
import VernierCore

@testable import Refinement

struct PlanRefinerTests {
    /// A tiny model, a corpus, and a pooling profile of them.
    struct Bench {
        private let folder = TemporaryDirectory()
        let model: ImageModel
        let corpus: Corpus
        let profile: Profile

        init(selection: SelectionRule = .poolingPlan()) throws {
            let tiny = try TinyModel()
            model = try withExtendedLifetime(tiny) { try ImageModel(path: tiny.path) }
            try AtomicFile.write(TinyModel.corpus(6), to: folder.file("corpus.jsonl"))
            corpus = try Corpus(path: folder.file("corpus.jsonl"))
            let path = folder.file("statistics.h5")
            try Calibrator(
                model: model, request: CalibrationRequest(corpus: corpus, limit: 6, signCount: 16, toolVersion: "test")
            ).run(savingTo: path)
            profile = try compile(
                statistics: try StatisticsFile.read(path),
                request: CompilationRequest(
                    policy: PolicyDescription(name: "rate-distortion"), budget: .keptShare(0.3), selection: selection,
                    toolVersion: "test"))
        }
    }

    @Test func refinesWhatHeldOutPromptsConfirm() throws {
        let bench = try Bench()
        let refiner = try PlanRefiner(
            model: bench.model, request: RefinementRequest(corpus: bench.corpus, promptCount: 6, batchSize: 4))
        let (refined, report) = try refiner.refine(bench.profile)
        #expect(report.errorAfter <= report.errorBefore && report.fittedMaps > 0)
        #expect(refined.capacities == bench.profile.capacities)
        #expect(refined.selection.parameters.integer("refinedPrompts") == 6)
        #expect(try Profile(parsing: refined.canonicalText(), name: "refined") == refined)
        // The same whatever runs together, and however many layers are recorded at once.
        let again = try PlanRefiner(
            model: bench.model,
            request: RefinementRequest(corpus: bench.corpus, promptCount: 6, batchSize: 1, recordingBytes: 1)
        ).refine(bench.profile).0
        #expect(again == refined)
        _ = try ImageGenerator(model: bench.model, profile: refined, profileName: "refined")
    }

    @Test func refusesWhatIsNoPoolingPlan() throws {
        let bench = try Bench(selection: .positionPlan())
        let refiner = try PlanRefiner(
            model: bench.model, request: RefinementRequest(corpus: bench.corpus, promptCount: 6))
        #expect(throws: VernierError.self) { try refiner.refine(bench.profile) }
        #expect(throws: VernierError.self) {
            try PlanRefiner(model: bench.model, request: RefinementRequest(corpus: bench.corpus, promptCount: 1))
        }
    }
}
