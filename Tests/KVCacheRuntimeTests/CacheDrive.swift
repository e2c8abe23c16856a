import KVCacheRuntime
import ProfileFormat
import TensorKernels
import TestSupport

/// Random maps of a small model without weights: what every layer would bring to a cache at every scale.
struct CacheDrive {
    let geometry: CacheGeometry
    /// `[scale][layer]` queries, keys and values, each `[sequences, H, n_k, D]`.
    let maps: [[(queries: [Float], keys: [Float], values: [Float])]]

    var schedule: ScaleSchedule { geometry.schedule }

    /// Square grids of `sides`; every image has its own numbers, whatever the batch it is in.
    init(
        seed: UInt64 = 1, sides: [Int] = [1, 2, 3, 4], layers: Int = 2, heads: Int = 2, headWidth: Int = 8,
        branches: Int = 2, images: [Int] = [0]
    ) throws {
        let schedule = try ScaleSchedule(
            grids: sides.map { .init(height: $0, width: $0) }, ropeGrid: .init(height: 8, width: 8))
        geometry = CacheGeometry(
            schedule: schedule, layers: layers, heads: heads, headWidth: headWidth, branches: branches,
            images: images.count)
        maps = (0..<schedule.scaleCount).map { scale in
            (0..<layers).map { layer in
                let each = heads * schedule.tokenCount(scale) * headWidth
                func rows(_ part: UInt64, _ range: ClosedRange<Float>) -> [Float] {
                    (0..<branches).flatMap { branch in
                        images.flatMap { image -> [Float] in
                            let number = ((UInt64(image) * 8 + UInt64(branch)) * 64 + UInt64(scale)) * 64
                            var random = SplitMix64(seed: (seed * 8 + part) << 24 + number + UInt64(layer))
                            return random.floats(each, in: range)
                        }
                    }
                }
                return (rows(0, -1.5...1.5), rows(1, -1.5...1.5), rows(2, -1...1))
            }
        }
    }

    /// Capacities that keep at most `most` tokens, unevenly: heads differ, and one layer shrinks as others grow.
    func capacities(atMost most: Int) -> CellCapacities {
        var table = CellCapacities(
            branchCount: 1, scaleCount: schedule.scaleCount, layerCount: geometry.layers, headCount: geometry.heads)
        for scale in 1..<schedule.scaleCount {
            for layer in 0..<geometry.layers {
                for head in 0..<geometry.heads {
                    let wanted = layer == 1 ? most - scale : most + layer + head
                    let bound = table[0, scale - 1, layer, head] + schedule.tokenCount(scale - 1)
                    table[0, scale, layer, head] = min(bound, max(wanted, 1))
                }
            }
        }
        return table
    }

    var fullCapacities: CellCapacities {
        .full(schedule: schedule, layers: geometry.layers, heads: geometry.heads)
    }

    /// Runs all maps through a cache; `[scale][layer]` outputs `[sequences, n_k, H * D]`. `after` is called after each
    /// layer.
    @discardableResult
    func run(
        _ cache: KVCache, observer: (any AttentionObserver)? = nil, upTo scales: Int? = nil,
        after: (_ scale: Int, _ layer: Int) -> Void = { _, _ in }
    ) -> [[[Float]]] {
        cache.reset()
        return maps.prefix(scales ?? maps.count).enumerated().map { scale, layers in
            layers.enumerated().map { layer, map in
                let output = FloatBuffer.zeros(count: map.queries.count)
                map.queries.withUnsafeBufferPointer { queries in
                    map.keys.withUnsafeBufferPointer { keys in
                        map.values.withUnsafeBufferPointer { values in
                            guard let q = queries.baseAddress, let k = keys.baseAddress, let v = values.baseAddress
                            else { return }
                            cache.attend(
                                scale: scale, layer: layer, queries: q, keys: k, values: v, into: output.pointer,
                                observer: observer)
                        }
                    }
                }
                after(scale, layer)
                return output.array
            }
        }
    }

    /// The rows `[n_k, D]` of one cell in a map's queries, keys or values.
    func rows(_ all: [Float], scale: Int, sequence: Int, head: Int) -> [Float] {
        let each = schedule.tokenCount(scale) * geometry.headWidth
        let cell = sequence * geometry.heads + head
        return Array(all[(cell * each)..<((cell + 1) * each)])
    }

    /// The key and value `[D]` of a history position.
    func row(position: Int, layer: Int, sequence: Int, head: Int) -> (key: [Float], value: [Float]) {
        let scale = (0..<schedule.scaleCount).last { schedule.historyTokens($0) <= position } ?? 0
        let token = position - schedule.historyTokens(scale), width = geometry.headWidth
        func one(_ all: [Float]) -> [Float] {
            Array(
                rows(all, scale: scale, sequence: sequence, head: head)[(token * width)..<((token + 1) * width)])
        }
        return (one(maps[scale][layer].keys), one(maps[scale][layer].values))
    }
}
