import CalibrationStatistics
import Checkpoints
import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels
import TestSupport
import Testing
import VernierCore

@testable import Calibration

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What narrower storage is measured to do, against the same worked out in Float64.
@Suite struct StorageErrorTests {
    private static let seed: UInt64 = 7
    private static let formats: [(StorageFormat, RowFormat)] = [
        (.bfloat16, .bfloat16), (.int8, .int8), (.int4, .int4),
    ]
    private let tiny: TinyModel
    private let model: ImageModel
    private let corpus: Corpus
    private let folder = TemporaryDirectory()

    init() throws {
        tiny = try TinyModel()
        model = try ImageModel(path: tiny.path)
        try AtomicFile.write(TinyModel.corpus(3), to: folder.file("c.jsonl"))
        corpus = try Corpus(path: folder.file("c.jsonl"))
    }

    private func calibrate(prompts: Int, batch: Int = 2) throws -> CalibrationStatistics {
        let calibrator = try Calibrator(
            model: model,
            request: CalibrationRequest(
                corpus: corpus, seed: Self.seed, topCounts: [1], signCount: 0, sensitivityPrompts: prompts,
                batchSize: batch, toolVersion: "test"))
        try calibrator.run(savingTo: folder.file("\(prompts)-\(batch).h5"))
        return calibrator.statistics
    }

    /// One picture's attention inputs and gates.
    private func recorded(_ prompt: CorpusPrompt) throws -> InputRecorder {
        let recorder = InputRecorder()
        var hooks = GenerationHooks()
        hooks.attention = recorder
        _ = try ImageGenerator(model: model).generateChoices(
            [try model.request(for: prompt, seed: Self.seed + UInt64(prompt.index))],
            settings: model.defaultSettings, hooks: hooks)
        return recorder
    }

    /// `[keys]` attention outputs of one query, in Float64.
    private func output(_ query: [Double], keys: [[Double]], values: [[Double]]) -> [Double] {
        let logits = keys.map { zip($0, query).reduce(0) { $0 + $1.0 * $1.1 } }, most = logits.max() ?? 0
        let weights = logits.map { exp($0 - most) }, total = weights.reduce(0, +)
        return query.indices.map { channel in
            zip(weights, values).reduce(0) { $0 + $1.0 * $1.1[channel] } / total
        }
    }

    private func restored(_ rows: [[Double]], _ format: RowFormat) -> [[Double]] {
        let d = TinyModel.headWidth, plain = FloatBuffer(rows.flatMap { $0.map { Float($0) } })
        let bytes = FloatBuffer(count: format.byteCount(width: d) * rows.count)
        format.encode(plain.pointer, count: rows.count, width: d, into: UnsafeMutableRawPointer(bytes.pointer))
        format.decode(UnsafeRawPointer(bytes.pointer), count: rows.count, width: d, into: plain.pointer)
        return rows.indices.map { row in plain.array[row * d..<(row + 1) * d].map(Double.init) }
    }

    @Test func errorsAgreeWithADirectComputation() throws {
        let measured = try calibrate(prompts: 2), layout = measured.layout
        #expect(measured.hasStorageErrors && measured.storageErrors.count == 2)
        let recorders = try corpus.prompts.prefix(2).map(recorded)
        let d = TinyModel.headWidth, width = TinyModel.heads * d
        var largest = 0.0
        for layer in 0..<layout.layers {
            let weight = try SafetensorsFile(path: tiny.transformerPath).float32(
                "block_chunks.0.module.\(layer).sa.proj.weight")
            for (branch, head, scale) in (0..<2).flatMap({ branch in
                (0..<layout.heads).flatMap { head in (0..<layout.scaleCount).map { (branch, head, $0) } }
            }) {
                var expected = Self.formats.map { _ in 0.0 }, size = 0.0
                for recorder in recorders {
                    let gate = try #require(recorder.gates[[branch, layer]])
                    let rows = try (0...scale).map { try #require(recorder.inputs[[branch, layer, head, $0]]) }
                    let current = rows[scale], history = rows[..<scale]
                    let keys = history.flatMap(\.keys), values = history.flatMap(\.values)
                    func gated(_ row: Int, _ column: Int) -> Double {
                        Double(gate[row]) * Double(weight[row * width + head * d + column])
                    }
                    size = (0..<width * d).reduce(0) { $0 + gated($1 / d, $1 % d) * gated($1 / d, $1 % d) }
                    for (index, format) in Self.formats.enumerated() where scale > 0 {
                        let narrowKeys = restored(keys, format.1), narrowValues = restored(values, format.1)
                        for query in current.queries {
                            let full = output(query, keys: keys + current.keys, values: values + current.values)
                            let narrow = output(
                                query, keys: narrowKeys + current.keys, values: narrowValues + current.values)
                            let moved = (0..<width).map { row in
                                (0..<d).reduce(0) { $0 + gated(row, $1) * (narrow[$1] - full[$1]) }
                            }
                            expected[index] +=
                                moved.reduce(0) { $0 + $1 * $1 } / Double(current.queries.count * recorders.count)
                        }
                    }
                }
                for (index, format) in Self.formats.enumerated() {
                    let found = measured.storageError(
                        format.0, branch: branch, layer: layer, head: head, scale: scale)
                    let place = "\(format.0), branch \(branch), layer \(layer), head \(head), scale \(scale)"
                    // Outputs of the order of 1 in Float32, twice rounded, times the matrix.
                    let rounding = 4e-6 * size.squareRoot()
                    #expect(
                        abs(found.squareRoot() - expected[index].squareRoot())
                            <= rounding + 1e-3 * expected[index].squareRoot(),
                        "\(place): \(found), expected \(expected[index])")
                    #expect((found > 0) == (scale > 0), "\(place): \(found)")
                    largest = max(largest, found.squareRoot() / max(rounding, 1e-30))
                }
            }
        }
        #expect(largest > 1000, "errors stand far above rounding: \(largest)")
    }

    @Test func fewerBitsCostMore() throws {
        let measured = try calibrate(prompts: 2), layout = measured.layout
        for layer in 0..<layout.layers {
            func total(_ format: StorageFormat) -> Double {
                (0..<2 * layout.heads * layout.scaleCount).reduce(0) { sum, index in
                    sum
                        + measured.storageError(
                            format, branch: index % 2, layer: layer, head: index / 2 % layout.heads,
                            scale: index / 2 / layout.heads)
                }
            }
            #expect(total(.float32) == 0 && total(.bfloat16) > 0)
            #expect(total(.bfloat16) < total(.int8) && total(.int8) < total(.int4))
        }
    }

    @Test func onlyProbedPromptsAreMeasuredAndNothingElseChanges() throws {
        let none = try calibrate(prompts: 0), two = try calibrate(prompts: 2), all = try calibrate(prompts: 9)
        #expect(!none.hasStorageErrors && none.settings.storageFormats.isEmpty && none.sums == two.sums)
        #expect(all.storageErrors.count == 3 && Array(all.storageErrors.prefix(2)) == two.storageErrors)
        #expect(Set(all.storageErrors.map { $0.values[0] }).count == 3, "every prompt has its own errors")
    }

    @Test func neitherThreadsNorBatchesChangeABit() throws {
        let one = try calibrate(prompts: 2, batch: 1)
        let threads = Parallel.threadCount
        defer { Parallel.setThreadCount(threads) }
        // Never more than before: tests beside this one have scratch for as many.
        for (count, batch) in [(1, 1), (1, 3), (threads, 3)] {
            Parallel.setThreadCount(count)
            let other = try calibrate(prompts: 2, batch: batch)
            #expect(other.storageErrors == one.storageErrors, "\(count) threads, batches of \(batch)")
        }
    }
}

/// Keeps one picture's queries, keys, values and gates, and checks the history's rows against them.
private final class InputRecorder: AttentionObserver {
    struct Inputs {
        var queries: [[Double]]
        var keys: [[Double]]
        var values: [[Double]]
    }

    let topCounts: [Int32] = []
    private(set) var inputs: [[Int]: Inputs] = [:]  // [branch, layer, head, scale]
    private(set) var gates: [[Int]: [Float]] = [:]  // [branch, layer]

    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {
        gates[[sequence, layer]] = Array(gate)
    }

    func observe(_ record: AttentionRecord) {
        let d = TinyModel.headWidth
        func rows(_ pointer: UnsafePointer<Float>?, _ count: Int) -> [[Double]] {
            guard let pointer else { return [] }
            return (0..<count).map { row in (0..<d).map { Double(pointer[row * d + $0]) } }
        }
        let head = [record.sequence, record.layer, record.head]
        let before = (0..<record.scale).compactMap { inputs[head + [$0]] }
        #expect(rows(record.historyKeys, record.historyCount) == before.flatMap(\.keys))
        #expect(rows(record.historyValues, record.historyCount) == before.flatMap(\.values))
        inputs[head + [record.scale]] = Inputs(
            queries: rows(record.queries, record.queryCount), keys: rows(record.currentKeys, record.queryCount),
            values: rows(record.currentValues, record.queryCount))
    }
}
