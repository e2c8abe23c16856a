import Calibration
import CalibrationStatistics
import Checkpoints
import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The statistics of one prompt against the same ones worked out in Float64 from its full attention matrices.
@Suite struct StatisticsValueTests {
    private static let seed: UInt64 = 11
    private let tiny: TinyModel
    private let model: ImageModel
    private let measured: CalibrationStatistics
    private let recorder = MatrixRecorder()

    init() throws {
        tiny = try TinyModel()
        model = try ImageModel(path: tiny.path)
        let folder = TemporaryDirectory()
        try AtomicFile.write(TinyModel.corpus(1), to: folder.file("c.jsonl"))
        let corpus = try Corpus(path: folder.file("c.jsonl"))
        let calibrator = try Calibrator(
            model: model,
            request: CalibrationRequest(
                corpus: corpus, seed: Self.seed, topCounts: [1, 2, 7, 40], batchSize: 1, toolVersion: "test"))
        try calibrator.run(savingTo: folder.file("s.h5"))
        measured = calibrator.statistics
        var hooks = GenerationHooks()
        hooks.attention = recorder
        _ = try ImageGenerator(model: model).generateChoices(
            [try model.request(for: corpus.prompts[0], seed: Self.seed)],
            settings: model.defaultSettings, hooks: hooks)
    }

    /// Calls `body` for every cell with its recorded rows.
    private func forEveryCell(_ body: (_ cell: MatrixRecorder.Cell, _ rows: [[Double]], _ history: Int) throws -> Void)
        throws
    {
        let layout = measured.layout
        #expect(recorder.matrices.count == layout.cellCount)
        for (cell, matrix) in recorder.matrices.sorted(by: { $0.key < $1.key }) {
            try body(cell, matrix, layout.schedule.historyTokens(cell.scale))
        }
    }

    private func expect(
        _ actual: Double, _ expected: Double, _ what: String, _ cell: MatrixRecorder.Cell,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        // The same Float32 probabilities, summed in another order and in Float64 on both sides.
        #expect(
            abs(actual - expected) <= 1e-9 + 1e-9 * abs(expected), "\(what), \(cell)", sourceLocation: sourceLocation)
    }

    @Test func massesOfEveryRowSumToOne() throws {
        let layout = measured.layout
        let sums = measured.sums
        for branch in 0..<layout.branches {
            for layer in 0..<layout.layers {
                for head in 0..<layout.heads {
                    for scale in 0..<layout.scaleCount {
                        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
                        let sources = (0..<layout.scaleCount).map { source in
                            sums.sourceMass[
                                layout.sourceMassIndex(
                                    branch: branch, layer: layer, head: head, scale: scale, source: source)]
                        }
                        // Softmax rows in Float32 over at most 30 keys.
                        #expect(abs(sums.currentMass[cell] + sources.reduce(0, +) - 1) < 2e-6)
                        #expect(sources[scale...].allSatisfy { $0 == 0 })
                        #expect(sources[..<scale].allSatisfy { $0 > 0 })
                        let positions = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
                        #expect(abs(sums.positionMass[positions].reduce(0, +) - sources.reduce(0, +)) < 1e-12)
                    }
                }
            }
        }
    }

    @Test func massesAgreeWithTheMatrices() throws {
        let layout = measured.layout
        let sums = measured.sums
        try forEveryCell { cell, rows, history in
            let (g, l, h, k) = (cell.branch, cell.layer, cell.head, cell.scale)
            let queries = Double(rows.count)
            func mean(_ columns: Range<Int>) -> Double { rows.reduce(0.0) { $0 + $1[columns].reduce(0, +) } / queries }
            let index = layout.cell(branch: g, layer: l, head: h, scale: k)
            expect(sums.currentMass[index], mean(history..<rows[0].count), "currentMass", cell)
            for source in 0..<k {
                let first = layout.schedule.historyTokens(source)
                expect(
                    sums.sourceMass[layout.sourceMassIndex(branch: g, layer: l, head: h, scale: k, source: source)],
                    mean(first..<(first + layout.schedule.tokenCount(source))), "sourceMass \(source)", cell)
            }
            let positions = layout.positions(branch: g, layer: l, head: h, scale: k)
            #expect(positions.count == history)
            for position in 0..<history {
                expect(
                    sums.positionMass[positions.lowerBound + position], mean(position..<(position + 1)),
                    "positionMass \(position)", cell)
            }
            for (place, count) in layout.topCounts.enumerated() {
                let top = rows.reduce(0.0) { $0 + $1[..<history].sorted(by: >).prefix(count).reduce(0, +) } / queries
                let topIndex = layout.topMassIndex(branch: g, layer: l, head: h, scale: k, topCountIndex: place)
                expect(sums.topMass[topIndex], top, "topMass \(count)", cell)
            }
        }
    }

    @Test func entropyAndVarianceAgreeWithTheMatrices() throws {
        let layout = measured.layout
        try forEveryCell { cell, rows, _ in
            let index = layout.cell(branch: cell.branch, layer: cell.layer, head: cell.head, scale: cell.scale)
            let queries = Double(rows.count)
            let columns = rows[0].count
            let entropy = rows.reduce(0.0) { $0 - $1.reduce(0.0) { $0 + ($1 > 0 ? $1 * log($1) : 0) } } / queries
            // The kernel takes it from Float32 logits.
            #expect(abs(measured.sums.rowEntropy[index] - entropy) < 2e-5, "rowEntropy, \(cell)")
            #expect(entropy > 0 || columns == 1)
            let means = (0..<columns).map { column in rows.reduce(0.0) { $0 + $1[column] } / queries }
            let mean = means.reduce(0, +) / Double(columns)
            let variance = means.reduce(0.0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
            expect(measured.sums.columnVariance[index], variance, "columnVariance", cell)
        }
    }

    /// mean_i a_ip * norm2(W_o^h v_p), with W_o straight from the weights file.
    @Test func positionWeightAgreesWithADirectComputation() throws {
        let layout = measured.layout
        let width = TinyModel.heads * TinyModel.headWidth
        let d = TinyModel.headWidth
        let weights = try SafetensorsFile(path: tiny.transformerPath)
        let projections = try (0..<tiny.depth).map {
            try weights.float32("block_chunks.0.module.\($0).sa.proj.weight")
        }
        var largest = 0.0
        try forEveryCell { cell, rows, history in
            let positions = layout.positions(
                branch: cell.branch, layer: cell.layer, head: cell.head, scale: cell.scale)
            for position in 0..<history {
                let source = (0..<cell.scale).last { layout.schedule.historyTokens($0) <= position } ?? 0
                var origin = cell
                origin.scale = source
                let token = position - layout.schedule.historyTokens(source)
                let value = try #require(recorder.values[origin])[(token * d)..<((token + 1) * d)]
                var square = 0.0
                for row in 0..<width {
                    let start = row * width + cell.head * d
                    let moved = zip(projections[cell.layer][start..<(start + d)], value)
                        .reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                    square += moved * moved
                }
                let mass = rows.reduce(0.0) { $0 + $1[position] } / Double(rows.count)
                let expected = mass * square.squareRoot()
                largest = max(largest, expected)
                expect(
                    measured.sums.positionWeight[positions.lowerBound + position], expected,
                    "positionWeight \(position)", cell)
            }
        }
        #expect(largest > 0.01, "the comparison is of numbers that differ from 0")
    }
}

/// Keeps every head's probabilities and values.
private final class MatrixRecorder: AttentionObserver {
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
    /// One row of probabilities a query: history first, then the current map.
    private(set) var matrices: [Cell: [[Double]]] = [:]
    /// Values `[queries, headWidth]` of the cell's own map.
    private(set) var values: [Cell: [Float]] = [:]

    func observe(_ record: AttentionRecord) {
        guard let probabilities = record.probabilities else { return }
        // One image: the sequence is the branch.
        let cell = Cell(branch: record.sequence, layer: record.layer, head: record.head, scale: record.scale)
        let width = record.historyCount + record.queryCount
        matrices[cell] = (0..<record.queryCount).map { row in
            probabilities[(row * width)..<((row + 1) * width)].map(Double.init)
        }
        values[cell] = Array(
            UnsafeBufferPointer(start: record.currentValues, count: record.queryCount * TinyModel.headWidth))
    }
}
