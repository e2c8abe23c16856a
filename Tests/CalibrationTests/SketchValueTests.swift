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

/// The sketches of a calibration against what they stand for, worked out in Float64 from full attention matrices.
@Suite struct SketchValueTests {
    private typealias Cell = SketchRecorder.Cell
    private static let seed: UInt64 = 11
    private static let prompts = 3
    private static let signCount = 1024
    /// Largest error of a product of two sketched vectors, in products of their norms: its standard error is at most
    /// sqrt(2 / R) of that, and five of them are exceeded once in a million.
    private static let tolerance = 5 * (2 / Double(signCount)).squareRoot()

    private let tiny: TinyModel
    private let model: ImageModel
    private let corpus: Corpus
    private let folder = TemporaryDirectory()
    private let recorders: [SketchRecorder]  // one a prompt

    init() throws {
        tiny = try TinyModel()
        model = try ImageModel(path: tiny.path)
        try AtomicFile.write(TinyModel.corpus(Self.prompts), to: folder.file("c.jsonl"))
        corpus = try Corpus(path: folder.file("c.jsonl"))
        let generator = try ImageGenerator(model: model)
        var recorders: [SketchRecorder] = []
        for prompt in corpus.prompts {
            let recorder = SketchRecorder()
            var hooks = GenerationHooks()
            hooks.attention = recorder
            _ = try generator.generateChoices(
                [try model.request(for: prompt, seed: Self.seed + UInt64(prompt.index))],
                settings: model.defaultSettings, hooks: hooks)
            recorders.append(recorder)
        }
        self.recorders = recorders
    }

    private func calibrate(signs: Int, batch: Int = 2) throws -> CalibrationStatistics {
        let calibrator = try Calibrator(
            model: model,
            request: CalibrationRequest(
                corpus: corpus, seed: Self.seed, topCounts: [1], signCount: signs, batchSize: batch,
                toolVersion: "test"))
        try calibrator.run(savingTo: folder.file("\(signs)-\(batch).h5"))
        return calibrator.statistics
    }

    /// Every cell with a history.
    private var cells: [Cell] { recorders[0].matrices.keys.filter { $0.scale > 0 }.sorted() }

    /// The columns `[position][prompt and query]` of a cell's attention, and of its logits up to a constant a query.
    private func columns(_ cell: Cell, _ history: Int, logits: Bool) throws -> [[Double]] {
        let rows = try recorders.flatMap { try #require($0.matrices[cell]) }
        return (0..<history).map { position in rows.map { logits ? log($0[position]) : $0[position] } }
    }

    /// What the values of a head add to the residual stream, `[position][prompt and channel]`.
    private func contributions(branch: Int, layer: Int, head: Int, _ history: Int) throws -> [[Double]] {
        let d = TinyModel.headWidth, width = TinyModel.heads * d
        let weight = try SafetensorsFile(path: tiny.transformerPath).float32(
            "block_chunks.0.module.\(layer).sa.proj.weight")
        return try (0..<history).map { position in
            try recorders.flatMap { recorder -> [Double] in
                let gate = try #require(recorder.gates[[branch, layer]])
                let value = recorder.history(branch: branch, layer: layer, head: head)[position]
                return (0..<width).map { channel in
                    let start = channel * width + head * d
                    let moved = zip(weight[start..<start + d], value).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                    return Double(gate[channel]) * moved
                }
            }
        }
    }

    private func dot(_ x: some Collection<Double>, _ y: some Collection<Double>) -> Double {
        zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
    }

    private func row(_ sketch: [Float], _ position: Int, _ count: Int) -> [Double] {
        sketch[position * count..<(position + 1) * count].map(Double.init)
    }

    private func difference(_ x: [Double], _ y: [Double]) -> [Double] { zip(x, y).map { $0 - $1 } }

    /// Errors of estimated products, in units of the largest standard error that they may have.
    private struct Errors {
        var values: [Double] = []

        mutating func add(_ estimate: Double, _ exact: Double, norms: Double, _ what: String) {
            guard norms > 0 else {
                #expect(estimate == 0, "\(what): vectors that are equal")
                return
            }
            let standardError = (2 / Double(SketchValueTests.signCount)).squareRoot() * norms
            values.append((estimate - exact) / standardError)
            #expect(abs(estimate - exact) <= SketchValueTests.tolerance * norms, "\(what): \(estimate), exact \(exact)")
        }

        /// No bias, and the spread that signs must have. Errors of one cell are not independent: there are some tens of
        /// independent ones, whose mean has a standard error of about 0.15.
        func check(_ what: String) {
            let mean = values.reduce(0, +) / Double(values.count)
            let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
            #expect(abs(mean) < 0.5, "\(what): mean error \(mean) standard errors of \(values.count)")
            #expect((0.1...1.5).contains(square), "\(what): mean squared error \(square) of \(values.count)")
        }
    }

    @Test func attentionSketchesEstimateTheSecondMomentsOfColumns() throws {
        let measured = try calibrate(signs: Self.signCount), layout = measured.layout
        #expect(measured.hasSketches && layout.signCount == Self.signCount)
        var errors = Errors()
        for cell in cells {
            let history = layout.schedule.historyTokens(cell.scale)
            let columns = try columns(cell, history, logits: false), count = Double(columns[0].count)
            let sketch = measured.attentionSketch(
                branch: cell.branch, layer: cell.layer, head: cell.head, scale: cell.scale)
            #expect(sketch.count == history * Self.signCount)
            for p in 0..<history {
                for q in 0...p {
                    errors.add(
                        dot(row(sketch, p, Self.signCount), row(sketch, q, Self.signCount)),
                        dot(columns[p], columns[q]) / count,
                        norms: (dot(columns[p], columns[p]) * dot(columns[q], columns[q])).squareRoot() / count,
                        "attention \(p) x \(q), \(cell)")
                }
            }
        }
        errors.check("attention")
    }

    @Test func keySketchesEstimateHowKeysDifferUnderTheQueries() throws {
        let measured = try calibrate(signs: Self.signCount), layout = measured.layout
        var errors = Errors()
        for cell in cells {
            let history = layout.schedule.historyTokens(cell.scale)
            let logits = try columns(cell, history, logits: true), count = Double(logits[0].count)
            let sketch = measured.keySketch(branch: cell.branch, layer: cell.layer, head: cell.head, scale: cell.scale)
            for p in 1..<max(history, 1) {
                for q in 0..<p {
                    let moved = difference(row(sketch, p, Self.signCount), row(sketch, q, Self.signCount))
                    let exact = difference(logits[p], logits[q])
                    errors.add(
                        dot(moved, moved), dot(exact, exact) / count, norms: dot(exact, exact) / count,
                        "keys \(p) - \(q), \(cell)")
                }
            }
        }
        errors.check("keys")
    }

    @Test func valueSketchesEstimateHowValuesDifferInTheResidualStream() throws {
        let measured = try calibrate(signs: Self.signCount), layout = measured.layout
        var errors = Errors()
        for cell in cells where cell.scale == 1 {
            let history = layout.schedule.finalHistoryTokens, prompts = Double(Self.prompts)
            let exact = try contributions(branch: cell.branch, layer: cell.layer, head: cell.head, history)
            let sketch = measured.valueSketch(branch: cell.branch, layer: cell.layer, head: cell.head)
            #expect(sketch.count == history * Self.signCount)
            for p in 1..<history {
                for q in 0..<p {
                    let moved = difference(row(sketch, p, Self.signCount), row(sketch, q, Self.signCount))
                    let away = difference(exact[p], exact[q])
                    errors.add(
                        dot(moved, moved), dot(away, away) / prompts, norms: dot(away, away) / prompts,
                        "values \(p) - \(q), \(cell)")
                }
            }
        }
        errors.check("values")
    }

    /// The documented signs, applied by hand, give the stored sums: every element, for odd numbers of signs too.
    @Test(arguments: [1, 7, 33]) func sumsAreThoseOfTheDocumentedSigns(count: Int) throws {
        let measured = try calibrate(signs: count, batch: 3), layout = measured.layout
        let signs = SketchSigns(seed: Self.seed, count: count)
        let width = TinyModel.heads * TinyModel.headWidth
        for cell in cells {
            let history = layout.schedule.historyTokens(cell.scale), tokens = layout.schedule.tokenCount(cell.scale)
            let buffer = FloatBuffer(count: max(tokens, width) * count)
            let positions = layout.positions(
                branch: cell.branch, layer: cell.layer, head: cell.head, scale: cell.scale)
            var attention = [Double](repeating: 0, count: history * count), keys = attention
            var values = [Double](repeating: 0, count: layout.schedule.finalHistoryTokens * count)
            let moved = try contributions(
                branch: cell.branch, layer: cell.layer, head: cell.head, layout.schedule.finalHistoryTokens)
            for (prompt, recorder) in recorders.enumerated() {
                let rows = try #require(recorder.matrices[cell])
                signs.fillQueries(tokens, prompt: prompt, scale: cell.scale, into: buffer.pointer)
                for p in 0..<history {
                    for (query, row) in rows.enumerated() {
                        for r in 0..<count {
                            let sign = Double(buffer.pointer[query * count + r])
                            #expect(abs(sign) == 1)
                            attention[p * count + r] += sign * row[p]
                            keys[p * count + r] += sign * (log(row[p]) - log(row[0]))
                        }
                    }
                }
                signs.fillChannels(width, prompt: prompt, into: buffer.pointer)
                for p in 0..<layout.schedule.finalHistoryTokens {
                    for channel in 0..<width {
                        for r in 0..<count {
                            values[p * count + r] +=
                                Double(buffer.pointer[channel * count + r]) * moved[p][prompt * width + channel]
                        }
                    }
                }
            }
            let first = positions.lowerBound * count, last = positions.upperBound * count
            // Float32 sums of at most 48 numbers below 1.
            expectClose(
                Array(measured.sketches.attention[first..<last]), attention.map(Float.init), tolerance: 2e-6,
                what: "attention, \(cell)")
            // Logits up to 20 in Float32, taken back from probabilities; less those of position 0.
            let raw = Array(measured.sketches.key[first..<last])
            expectClose(
                raw.indices.map { raw[$0] - raw[$0 % count] }, keys.map(Float.init), tolerance: 1e-3,
                what: "keys, \(cell)")
            let final = layout.finalPositions(branch: cell.branch, layer: cell.layer, head: cell.head)
            // Sums of 96 numbers of a few units.
            expectClose(
                Array(measured.sketches.value[final.lowerBound * count..<final.upperBound * count]),
                values.map(Float.init), tolerance: 1e-4, what: "values, \(cell)")
        }
    }

    @Test func neitherThreadsNorBatchesChangeABit() throws {
        let one = try calibrate(signs: 32, batch: 1)
        let threads = Parallel.threadCount
        defer { Parallel.setThreadCount(threads) }
        // Never more than before: tests beside this one have scratch for as many.
        for (count, batch) in [(1, 1), (1, 3), (threads, 3), (threads, 2)] {
            Parallel.setThreadCount(count)
            let other = try calibrate(signs: 32, batch: batch)
            #expect(other == one, "\(count) threads, batches of \(batch)")
        }
    }

    @Test func anotherSeedGivesOtherSigns() {
        func signs(seed: UInt64, prompt: Int = 0, scale: Int = 1) -> [Float] {
            let buffer = FloatBuffer(count: 40 * 200)
            SketchSigns(seed: seed, count: 200).fillQueries(40, prompt: prompt, scale: scale, into: buffer.pointer)
            return buffer.array
        }
        let one = signs(seed: 1)
        // 8,000 fair signs: their sum has a standard deviation of 89.
        #expect(abs(one.reduce(0, +)) < 5 * 89)
        for other in [signs(seed: 2), signs(seed: 1, prompt: 1), signs(seed: 1, scale: 2)] {
            #expect(abs(zip(one, other).reduce(0) { $0 + $1.0 * $1.1 }) < 5 * 89, "independent signs")
        }
        // The first signs of a row do not depend on how many there are.
        let few = FloatBuffer(count: 40 * 5)
        SketchSigns(seed: 1, count: 5).fillQueries(40, prompt: 0, scale: 1, into: few.pointer)
        for query in 0..<40 { #expect(few.array[query * 5..<query * 5 + 5] == one[query * 200..<query * 200 + 5]) }
    }

    @Test func gatesAreGammaOneOfTheBlock() throws {
        // Without the shared part, gamma1 is the block's own offset.
        let plain = try TinyModel { name, values in
            if name.hasPrefix("shared_ada_lin") { values = Array(repeating: 0, count: values.count) }
        }
        let recorder = SketchRecorder()
        var hooks = GenerationHooks()
        hooks.attention = recorder
        let model = try ImageModel(path: plain.path)
        _ = try ImageGenerator(model: model).generateChoices(
            [ImageRequest(condition: try model.encode("a red square"), seed: 1)], settings: model.defaultSettings,
            hooks: hooks)
        let width = TinyModel.heads * TinyModel.headWidth
        for layer in 0..<plain.depth {
            let offsets = try SafetensorsFile(path: plain.transformerPath).float32(
                "block_chunks.0.module.\(layer).ada_gss")
            for branch in 0..<2 {
                #expect(
                    recorder.gates[[branch, layer]] == Array(offsets[..<width]), "branch \(branch), layer \(layer)")
            }
        }
    }
}

/// Keeps one picture's probabilities, values and gates.
private final class SketchRecorder: AttentionObserver {
    struct Cell: Hashable, Comparable {
        var branch: Int
        var layer: Int
        var head: Int
        var scale: Int

        static func < (left: Cell, right: Cell) -> Bool {
            (left.branch, left.layer, left.head, left.scale) < (right.branch, right.layer, right.head, right.scale)
        }
    }

    let topCounts: [Int32] = []
    let wantsProbabilities = true
    private(set) var matrices: [Cell: [[Double]]] = [:]
    private(set) var gates: [[Int]: [Float]] = [:]  // [branch, layer]
    private var values: [Cell: [[Float]]] = [:]

    /// The values of all tokens in the order of the history.
    func history(branch: Int, layer: Int, head: Int) -> [[Float]] {
        (0..<TinyModel.sides.count).flatMap {
            values[Cell(branch: branch, layer: layer, head: head, scale: $0)] ?? []
        }
    }

    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {
        gates[[sequence, layer]] = Array(gate)
    }

    func observe(_ record: AttentionRecord) {
        guard let probabilities = record.probabilities else { return }
        let cell = Cell(branch: record.sequence, layer: record.layer, head: record.head, scale: record.scale)
        let width = record.historyCount + record.queryCount, d = TinyModel.headWidth
        matrices[cell] = (0..<record.queryCount).map { row in
            probabilities[(row * width)..<((row + 1) * width)].map(Double.init)
        }
        values[cell] = (0..<record.queryCount).map {
            Array(UnsafeBufferPointer(start: record.currentValues + $0 * d, count: d))
        }
    }
}
