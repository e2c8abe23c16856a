import CalibrationStatistics
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels

/// Adds the sketches of a batch's prompts to sums that it holds for the time of the batch.
///
/// There is one copy of the sums, because they are large. Each prompt's contribution to a number is worked out by itself
/// and added in the order of the corpus, so that neither the batch size nor the thread count changes a bit.
final class SketchAccumulator {
    /// The sums.
    private var sums: AttentionSketches
    /// Those of the prompts at even places of the corpus, if they are kept.
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
    private var projected = FloatBuffer(count: 0)

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

    /// Works out the rows `sum_c e_cr gate_c W_o^h[c, :]` of every head of a layer.
    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {
        let width = stack.width, d = stack.headWidth, count = signCount
        var gated = stack.attentionProjectionWeight(layer: layer)
        for row in 0..<width {
            for column in 0..<width { gated[row * width + column] *= gate[row] }
        }
        let rows = FloatBuffer.zeros(count: width * count)  // [column of W_o, R]
        Kernels.addSigned(
            gated, rows: width, count: width, signs: channelSigns[sequence % prompts.count].pointer, signCount: count,
            to: rows.pointer)
        for head in 0..<layout.heads {
            var weight = [Float](repeating: 0, count: count * d)
            for sign in 0..<count {
                for i in 0..<d { weight[sign * d + i] = rows.pointer[(head * d + i) * count + sign] }
            }
            projections[(sequence * layout.layers + layer) * layout.heads + head] = LinearLayer(
                weight: weight, bias: nil, outputs: count, inputs: d)
        }
    }

    /// Adds one head's sketches.
    func add(_ record: AttentionRecord, branch: Int) {
        let (layer, head, scale) = (record.layer, record.head, record.scale)
        let positions = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
        let isEven = prompts[record.sequence % prompts.count].isMultiple(of: 2)
        if let sketch = record.attentionSketch { add(sketch, to: \.attention, row: positions.lowerBound, isEven) }
        if let sketch = record.keySketch { add(sketch, to: \.key, row: positions.lowerBound, isEven) }
        guard scale < layout.scaleCount - 1,
            let project = projections[(record.sequence * layout.layers + layer) * layout.heads + head]
        else { return }
        let count = record.queryCount * signCount
        if projected.count < count { projected = FloatBuffer(count: count) }
        project(record.currentValues, rows: record.queryCount, into: projected.pointer)
        let final = layout.finalPositions(branch: branch, layer: layer, head: head)
        add(
            UnsafeBufferPointer(start: projected.pointer, count: count), to: \.value,
            row: final.lowerBound + layout.schedule.historyTokens(scale), isEven)
    }

    private func add(
        _ values: UnsafeBufferPointer<Float>, to sketch: WritableKeyPath<AttentionSketches, [Float]>, row: Int,
        _ isEven: Bool
    ) {
        Self.add(values, to: &sums[keyPath: sketch], first: row * signCount)
        if keepsHalves, isEven { Self.add(values, to: &even[keyPath: sketch], first: row * signCount) }
    }

    private static func add(_ values: UnsafeBufferPointer<Float>, to sums: inout [Float], first: Int) {
        sums.withUnsafeMutableBufferPointer { sums in
            for index in 0..<min(values.count, sums.count - first) { sums[first + index] += values[index] }
        }
    }
}
