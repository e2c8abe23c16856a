import CalibrationStatistics
import KVCacheRuntime
import ModelFamilies
import ProfileFormat

/// Turns the attention of one batch into one ``PromptStatistics`` an image.
///
/// Everything is a mean over the queries of a scale (`method.md` section 2). `positionWeight` needs the norm of
/// `W_o^h v_p`: it is `sqrt(v^T M v)` with the Gram matrix `M = W_o^h^T W_o^h`, taken once when position p is in the
/// current map, because under the full cache a value never changes.
final class StatisticsObserver: AttentionObserver {
    let topCounts: [Int32]
    private(set) var prompts: [PromptStatistics]
    private let layout: StatisticsLayout
    private let headWidth: Int
    private let grams: [[Double]]  // [layer * H + head] -> [D, D]
    private var valueNorms: [[Double]]  // [sequence][layer][head] -> one norm a position
    let images: Int
    /// Holds the sketches while a batch runs; nil without signs.
    private var sketches: SketchAccumulator?
    /// What narrower storage did to each probed image of the batch, the first ones.
    private(set) var storageErrors: [StorageErrors] = []
    private let storage: StorageProbe

    init(layout: StatisticsLayout, stack: TransformerStack, images: Int) {
        self.layout = layout
        self.images = images
        topCounts = layout.topCounts.map(Int32.init)
        headWidth = stack.headWidth
        storage = StorageProbe(stack: stack)
        prompts = Array(repeating: PromptStatistics(layout: layout), count: images)
        valueNorms = Array(repeating: [], count: images * layout.branches * layout.layers * layout.heads)
        grams = (0..<layout.layers).flatMap { layer in
            let weight = stack.attentionProjectionWeight(layer: layer), d = stack.headWidth
            return (0..<layout.heads).map { Self.gram(weight, width: stack.width, head: $0, headWidth: d) }
        }
    }

    /// Forgets the last batch and expects the next, whose first `probed` images are stored in narrower formats too; its
    /// sketches go to `sketches`.
    func begin(sketches: SketchAccumulator?, probed: Int) {
        self.sketches = sketches
        storageErrors = (0..<probed).map { _ in
            StorageErrors(layout: layout, formatCount: StorageProbe.formats.count)
        }
        storage.begin(sequences: images * layout.branches)
        for image in prompts.indices { prompts[image].reset() }
        for index in valueNorms.indices { valueNorms[index].removeAll(keepingCapacity: true) }
    }

    var signCount: Int { sketches?.signCount ?? 0 }

    func signs(sequence: Int, scale: Int) -> UnsafePointer<Float>? {
        sketches?.querySigns(image: sequence % images, scale: scale)
    }

    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {
        sketches?.observeGate(gate, sequence: sequence, layer: layer)
        if sequence % images < storageErrors.count { storage.observeGate(gate, sequence: sequence, layer: layer) }
    }

    func observe(_ record: AttentionRecord) {
        let branch = record.sequence / images, image = record.sequence % images
        sketches?.add(record, branch: branch)
        let scale = record.scale, layer = record.layer, head = record.head, history = record.historyCount
        let queries = Double(record.queryCount), mass = record.columnMass
        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
        if image < storageErrors.count {
            for (index, error) in storage.errors(of: record).enumerated() {
                storageErrors[image].values[index][cell] = error
            }
        }
        let norms = (record.sequence * layout.layers + layer) * layout.heads + head

        var currentMass = 0.0
        for column in history..<mass.count { currentMass += mass[column] }
        prompts[image].currentMass[cell] = currentMass / queries
        prompts[image].rowEntropy[cell] = record.entropy / queries
        for index in record.topMass.indices {
            prompts[image].topMass[
                layout.topMassIndex(branch: branch, layer: layer, head: head, scale: scale, topCountIndex: index)] =
                record.topMass[index] / queries
        }
        for source in 0..<scale {
            let first = layout.schedule.historyTokens(source)
            var sum = 0.0
            for position in first..<(first + layout.schedule.tokenCount(source)) { sum += mass[position] }
            prompts[image].sourceMass[
                layout.sourceMassIndex(branch: branch, layer: layer, head: head, scale: scale, source: source)] =
                sum / queries
        }
        prompts[image].columnVariance[cell] = Self.variance(mass, queries: queries)
        let positions = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
        for position in 0..<history {
            let share = mass[position] / queries
            prompts[image].positionMass[positions.lowerBound + position] = share
            prompts[image].positionWeight[positions.lowerBound + position] = share * valueNorms[norms][position]
        }
        if scale < layout.scaleCount - 1 {
            let gram = grams[layer * layout.heads + head]
            for token in 0..<record.queryCount {
                valueNorms[norms].append(Self.norm(record.currentValues + token * headWidth, gram, headWidth))
            }
        }
    }

    /// Population variance of the column means.
    private static func variance(_ mass: UnsafeBufferPointer<Double>, queries: Double) -> Double {
        let count = Double(mass.count)
        var sum = 0.0
        for value in mass { sum += value / queries }
        let mean = sum / count
        var squares = 0.0
        for value in mass {
            let difference = value / queries - mean
            squares += difference * difference
        }
        return squares / count
    }

    private static func gram(_ weight: [Float], width: Int, head: Int, headWidth d: Int) -> [Double] {
        var result = [Double](repeating: 0, count: d * d)
        for row in 0..<width {
            let start = row * width + head * d
            for i in 0..<d {
                let left = Double(weight[start + i])
                for j in 0..<d { result[i * d + j] += left * Double(weight[start + j]) }
            }
        }
        return result
    }

    private static func norm(_ value: UnsafePointer<Float>, _ gram: [Double], _ d: Int) -> Double {
        var sum = 0.0
        for i in 0..<d {
            var row = 0.0
            for j in 0..<d { row += gram[i * d + j] * Double(value[j]) }
            sum += Double(value[i]) * row
        }
        return max(sum, 0).squareRoot()
    }
}
