import Calibration
import CalibrationStatistics
import Foundation
import Frontier
import Generation
import ModelFamilies
import ProfileFormat
import StatisticsFile
import TestSupport
import Testing
import VernierCore

/// The tiny model with statistics of three prompts; made once.
struct Bench: Sendable {
    static let shared = Result { try Bench() }

    let model: ImageModel
    let statistics: CalibrationStatistics
    let prompts: [CorpusPrompt]
    let corpusDigest: String

    private init() throws {
        let tiny = try TinyModel()
        model = try withExtendedLifetime(tiny) { try ImageModel(path: tiny.path) }
        var text = TinyModel.corpus(3)
        let corpus = try text.withUTF8 { try Corpus(bytes: UnsafeRawBufferPointer($0), fileName: "c.jsonl") }
        prompts = corpus.prompts
        corpusDigest = corpus.digest
        let folder = TemporaryDirectory()
        let calibrator = try Calibrator(
            model: model,
            request: CalibrationRequest(
                corpus: corpus, limit: nil, seed: 0, settings: model.defaultSettings, topCounts: [1, 4], batchSize: 3,
                saveInterval: 3, toolVersion: "test"))
        try calibrator.run(savingTo: folder.file("s.h5"), progress: nil)
        statistics = try StatisticsFile.read(folder.file("s.h5"))
    }

    /// A request over some methods of the tiny model's table.
    func request(
        _ names: [String], budgets: [BudgetRequest] = [.keptShare(0.2), .keptShare(0.5)],
        more: [FrontierMethod] = [], compared: String? = nil, batch: Int = 2, divergencePrompts: Int? = nil
    ) throws -> FrontierRequest {
        FrontierRequest(
            methods: try FrontierMethods.named(
                names, layers: model.identity.layers, scales: model.schedule.scaleCount) + more, budgets: budgets,
            prompts: prompts, corpusDigest: corpusDigest, seeds: [4, 5], batchSize: batch,
            divergencePrompts: divergencePrompts, comparedMethod: compared, toolVersion: "test")
    }

    func frontier(_ request: FrontierRequest) throws -> Frontier {
        try Frontier(model: model, statistics: statistics, request: request)
    }
}

/// All files below a folder with their bytes, by their paths in it.
func contents(of folder: String) throws -> [String: [UInt8]] {
    let found = try #require(FileManager.default.enumerator(atPath: folder), "\(folder) cannot be listed")
    var contents: [String: [UInt8]] = [:]
    for case let name as String in found {
        var isFolder: ObjCBool = false
        let path = "\(folder)/\(name)"
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        guard exists, !isFolder.boolValue else { continue }
        contents[name] = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }
    return contents
}
