import CalibrationStatistics
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels
import VernierCore

/// Adds the sketches of a batch's prompts to sums that it holds for the time of the batch.
///
/// There is one copy of the sums, because they are large. Each prompt's contribution to a number is worked out by itself
/// and added in the order of the corpus, so that neither the batch size nor the thread count changes a bit.
final class SketchAccumulator {
    /// Where sums lie; different threads may add to those of different heads.
    struct Sums {
        let all: Places
        /// Those of the prompts at even places of the corpus; empty if they are not kept.
        let even: Places

        struct Places { let attention, key, value: UnsafeMutableBufferPointer<Float> }
    }

    private var sums: AttentionSketches
    private var even: AttentionSketches
    private let keepsHalves: Bool
    private let stack: TransformerStack
    private let layout: StatisticsLayout
    private let signs: SketchSigns
    private var prompts: [Int] = []  // corpus index of each image
    private var querySigns: [FloatBuffer] = []  // [image], of the scale that runs
    private var queryScale = -1
    private var channelSigns: [FloatBuffer] = []  // [image]
    private var projections: [LinearLayer?] = []  // [sequence][layer][head]: values [D] -> [R]
    private let room = ThreadScratch(countEach: 0)

    /// Takes over sums whose layout has signs.
    init(
        sums: (all: AttentionSketches, even: AttentionSketches), keepsHalves: Bool, seed: UInt64,
        stack: TransformerStack
    ) {
        (self.sums, even) = sums
        self.keepsHalves = keepsHalves
        self.stack = stack
        layout = sums.all.layout
        signs = SketchSigns(seed: seed, count: sums.all.layout.signCount)
    }

    /// Random signs, R.
    var signCount: Int { signs.count }

    /// Expects the prompts of a batch, by their places in the corpus, ascending.
    func begin(prompts: [Int]) {
        let width = stack.width, tokens = layout.schedule.grids.map(\.tokenCount).max() ?? 0
        self.prompts = prompts
        queryScale = -1
        while querySigns.count < prompts.count {
            querySigns.append(FloatBuffer(count: tokens * signCount))
            channelSigns.append(FloatBuffer(count: width * signCount))
        }
        for (image, prompt) in prompts.enumerated() {
            signs.fillChannels(width, prompt: prompt, into: channelSigns[image].pointer)
        }
        projections = Array(repeating: nil, count: prompts.count * layout.branches * layout.layers * layout.heads)
    }

    /// Gives the sums away, which now hold the batch's prompts too.
    func finish() -> (all: AttentionSketches, even: AttentionSketches) {
        var finished = (all: AttentionSketches.none(layout), even: AttentionSketches.none(layout))
        swap(&finished.all, &sums)
        swap(&finished.even, &even)
        finished.all.promptCount += prompts.count
        if keepsHalves { finished.even.promptCount += prompts.count(where: { $0.isMultiple(of: 2) }) }
        return finished
    }

    /// The signs `[n_k, R]` of an image's queries.
    func querySigns(image: Int, scale: Int) -> UnsafePointer<Float> {
        if scale != queryScale {
            queryScale = scale
            for (image, prompt) in prompts.enumerated() {
                signs.fillQueries(
                    layout.schedule.tokenCount(scale), prompt: prompt, scale: scale, into: querySigns[image].pointer)
            }
        }
        return UnsafePointer(querySigns[image].pointer)
    }

    /// Works out the rows `sum_c e_cr gate_c W_o^h[c, :]` of every head of a layer, in float32 whatever the model
    /// multiplies in.
    func observeGate(_ gate: UnsafeBufferPointer<Float>, weights: ProjectionWeights, sequence: Int, layer: Int) {
        let width = weights.width, d = weights.headWidth, count = signCount
        let signs = channelSigns[sequence % prompts.count].pointer
        let first = (sequence * layout.layers + layer) * layout.heads
        room.reserve(countEach: (width + count) * d)
        weights.withWeight(layer: layer) { weight in
            projections.withUnsafeMutableBufferPointer { projections in
                Parallel.forEach(parts: layout.heads) { head in
                    let gated = room.pointer, rows = gated + width * d  // [C, D], [D, R]
                    for channel in 0..<width {
                        let from = weight + channel * width + head * d, to = gated + channel * d, factor = gate[channel]
                        for i in 0..<d { to[i] = from[i] * factor }
                    }
                    rows.update(repeating: 0, count: d * count)
                    Kernels.addSigned(gated, rows: width, count: d, signs: signs, signCount: count, to: rows)
                    let matrix = (0..<count * d).map { rows[$0 % d * count + $0 / d] }
                    projections[first + head] = LinearLayer(
                        weight: matrix, bias: nil, outputs: count, inputs: d, arithmetic: .float32)
                }
            }
        }
    }

    /// Lends the sums to `body`.
    func withSums(_ body: (Sums) -> Void) {
        Self.withPlaces(&sums) { all in
            Self.withPlaces(&even) { even in body(Sums(all: all, even: even)) }
        }
    }

    /// Adds the sketches of one head to the sums, on any thread: its records, in the order of the images.
    /// - Parameter room: ``roomCount(for:)`` numbers that are overwritten.
    func add(_ records: [AttentionRecord], branch: Int, to sums: Sums, room: UnsafeMutablePointer<Float>) {
        guard let first = records.first else { return }
        let (layer, head, scale) = (first.layer, first.head, first.scale), values = first.queryCount * signCount
        func add(
            _ rows: [UnsafePointer<Float>?], count: Int, row: Int,
            _ sketch: KeyPath<Sums.Places, UnsafeMutableBufferPointer<Float>>
        ) {
            guard !rows.contains(nil), let place = sums.all[keyPath: sketch].baseAddress else { return }
            Kernels.addEach(rows, count: count, to: place + row * signCount)
            guard keepsHalves, let place = sums.even[keyPath: sketch].baseAddress else { return }
            let even = zip(records, rows).filter { prompts[$0.0.sequence % prompts.count].isMultiple(of: 2) }
            Kernels.addEach(even.map(\.1), count: count, to: place + row * signCount)
        }
        let row = layout.positions(branch: branch, layer: layer, head: head, scale: scale).lowerBound
        let count = first.historyCount * signCount
        add(records.map { $0.attentionSketch?.baseAddress }, count: count, row: row, \.attention)
        add(records.map { $0.keySketch?.baseAddress }, count: count, row: row, \.key)
        guard scale < layout.scaleCount - 1 else { return }
        for (index, record) in records.enumerated() {
            projections[(record.sequence * layout.layers + layer) * layout.heads + head]?(
                record.currentValues, rows: record.queryCount, into: room + index * values)
        }
        add(
            records.indices.map { UnsafePointer(room + $0 * values) }, count: values,
            row: layout.finalPositions(branch: branch, layer: layer, head: head).lowerBound
                + layout.schedule.historyTokens(scale), \.value)
    }

    /// The room that ``add(_:branch:to:room:)`` needs for the records of any head of a layer, in float32.
    func roomCount(for records: [AttentionRecord]) -> Int {
        prompts.count * (records.map(\.queryCount).max() ?? 0) * signCount
    }

    private static func withPlaces(_ sketches: inout AttentionSketches, _ body: (Sums.Places) -> Void) {
        sketches.attention.withUnsafeMutableBufferPointer { attention in
            sketches.key.withUnsafeMutableBufferPointer { key in
                sketches.value.withUnsafeMutableBufferPointer { value in
                    body(Sums.Places(attention: attention, key: key, value: value))
                }
            }
        }
    }
}
