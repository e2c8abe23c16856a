import KVCacheRuntime
import ProfileFormat
import TensorKernels

/// Runs one batch through the transformer, scale by scale, against a cache (`models.md` section 3.5).
///
/// Holds the activations of one map; they are reused for every layer, scale and image.
public final class InfinitySession {
    let transformer: InfinityTransformer
    let cache: KVCache
    private let hidden, normed, qkv, queries, keys, values, attended, mlp, logits: FloatBuffer
    private let rawQueries: FloatBuffer?  // only for a rule that scores them
    private let scratch = ThreadScratch(countEach: 0)

    /// Bytes of the activations.
    public var activationBytes: Int {
        [hidden, normed, qkv, queries, keys, values, attended, mlp, logits].reduce(0) { $0 + $1.byteCount }
            + (rawQueries?.byteCount ?? 0) + scratch.byteCount
    }

    /// Allocates activations for the largest map of the cache's geometry.
    /// - Precondition: the cache's geometry is the transformer's.
    public init(_ transformer: InfinityTransformer, cache: KVCache) {
        let shape = transformer.shape, geometry = cache.geometry
        precondition(
            geometry.layers == shape.depth && geometry.heads == shape.heads && geometry.headWidth == shape.headWidth
                && geometry.schedule == shape.schedule, "the cache's geometry is the transformer's")
        self.transformer = transformer
        self.cache = cache
        let rows = geometry.sequences * (shape.schedule.grids.map(\.tokenCount).max() ?? 0), c = shape.width
        hidden = FloatBuffer(count: rows * c)
        normed = FloatBuffer(count: rows * c)
        qkv = FloatBuffer(count: rows * 3 * c)
        queries = FloatBuffer(count: rows * c)
        rawQueries = cache.wantsRawQueries ? FloatBuffer(count: rows * c) : nil
        keys = FloatBuffer(count: rows * c)
        values = FloatBuffer(count: rows * c)
        attended = FloatBuffer(count: rows * c)
        mlp = FloatBuffer(count: rows * shape.mlpWidth)
        logits = FloatBuffer(count: rows * 2 * shape.bits)
    }

    /// The hidden state `[sequences, n_k, C]` before the first block, or after the last, of the map that ran last.
    public func hiddenState(scale: Int) -> [Float] {
        let rows = cache.geometry.sequences * transformer.shape.schedule.tokenCount(scale)
        return Array(UnsafeBufferPointer(start: hidden.pointer, count: rows * transformer.shape.width))
    }

    /// Embeds a map: scale 0 starts from the pooled text, later scales from `input` `[B, n_k, D]`, the same for every
    /// branch. The level embedding is added once, before the first block.
    public func embed(scale: Int, input: [Float]?, conditioning: InfinityConditioning) {
        let shape = transformer.shape, c = shape.width, images = cache.geometry.images
        let tokens = shape.schedule.tokenCount(scale)
        if let input {
            transformer.wordEmbedding(input, rows: images * tokens, into: hidden.pointer)
            for branch in 1..<max(cache.geometry.branches, 1) {
                (hidden.pointer + branch * images * tokens * c).update(from: hidden.pointer, count: images * tokens * c)
            }
        } else {
            for sequence in 0..<conditioning.sequences {
                for i in 0..<c {
                    hidden.pointer[sequence * c + i] =
                        conditioning.pooled[sequence * c + i] + transformer.positionStart[i]
                }
            }
        }
        let level = Array(transformer.levelEmbedding[(scale * c)..<((scale + 1) * c)])
        for row in 0..<(cache.geometry.sequences * tokens) {
            for i in 0..<c { hidden.pointer[row * c + i] += level[i] }
        }
    }

    /// Runs all blocks on the embedded map, filling and compacting the cache.
    public func runBlocks(
        scale: Int, conditioning: InfinityConditioning, observer: (any AttentionObserver)? = nil,
        disturbance: AttentionDisturbance? = nil
    ) {
        for layer in transformer.blocks.indices {
            runBlock(layer, scale: scale, conditioning: conditioning, observer: observer, disturbance: disturbance)
        }
    }

    /// The logits `[sequences, n_k, 2 D]` of the map, before guidance and temperature.
    public func headLogits(scale: Int, conditioning: InfinityConditioning) -> UnsafeBufferPointer<Float> {
        let shape = transformer.shape, c = shape.width, tokens = shape.schedule.tokenCount(scale)
        conditioning.headAda.withUnsafeBufferPointer { ada in
            guard let ada = ada.baseAddress else { return }
            nonisolated(unsafe) let ada2 = ada
            perSequence(tokens) { sequence, first, count in
                Kernels.layerNormModulated(
                    self.hidden.pointer + first * c, rows: count, width: c, scale: ada2 + sequence * 2 * c,
                    shift: ada2 + sequence * 2 * c + c, into: self.normed.pointer + first * c)
            }
        }
        let rows = cache.geometry.sequences * tokens
        transformer.head(normed.pointer, rows: rows, into: logits.pointer)
        return UnsafeBufferPointer(start: logits.pointer, count: rows * 2 * shape.bits)
    }

    // MARK: - One block

    private func runBlock(
        _ layer: Int, scale: Int, conditioning: InfinityConditioning, observer: (any AttentionObserver)?,
        disturbance: AttentionDisturbance?
    ) {
        let shape = transformer.shape, block = transformer.blocks[layer]
        let tokens = shape.schedule.tokenCount(scale), rows = cache.geometry.sequences * tokens
        conditioning.ada[layer].withUnsafeBufferPointer { buffer in
            guard let ada = buffer.baseAddress else { return }
            modulatedNorm(ada, scaleAt: 2, shiftAt: 4, tokens: tokens)
            block.qkv(normed.pointer, rows: rows, into: qkv.pointer)
            splitHeads(block, scale: scale)
            cache.attend(
                scale: scale, layer: layer, queries: queries.pointer, keys: keys.pointer, values: values.pointer,
                rawQueries: rawQueries.map { UnsafePointer($0.pointer) }, into: attended.pointer, observer: observer)
            if let disturbance, disturbance.acts(layer: layer, scale: scale) {
                let clean = qkv.pointer, c = shape.width  // free since its heads were split
                block.attentionProjection(attended.pointer, rows: rows, into: clean)
                disturbance.disturb(attended.pointer, scale: scale, geometry: cache.geometry)
                block.attentionProjection(attended.pointer, rows: rows, into: normed.pointer)
                disturbance.measure(
                    clean: clean, disturbed: normed.pointer, gates: ada, gateStride: 6 * c, width: c, scale: scale,
                    geometry: cache.geometry)
            } else {
                block.attentionProjection(attended.pointer, rows: rows, into: normed.pointer)
            }
            addGated(ada, gammaAt: 0, tokens: tokens)
            crossAttend(block, layer: layer, tokens: tokens, conditioning: conditioning)
            modulatedNorm(ada, scaleAt: 3, shiftAt: 5, tokens: tokens)
            block.mlpIn(normed.pointer, rows: rows, into: mlp.pointer)
            perSequence(tokens) { _, first, count in
                Kernels.geluTanh(self.mlp.pointer + first * shape.mlpWidth, count: count * shape.mlpWidth)
            }
            block.mlpOut(mlp.pointer, rows: rows, into: normed.pointer)
            addGated(ada, gammaAt: 1, tokens: tokens)
        }
    }

    /// Runs `body(sequence, first row, rows)` over pieces of every sequence's rows, in parallel.
    private func perSequence(_ tokens: Int, _ body: (Int, Int, Int) -> Void) {
        let piece = 64, pieces = (tokens + piece - 1) / piece, sequences = cache.geometry.sequences
        if sequences * tokens < 32 {
            for sequence in 0..<sequences { body(sequence, sequence * tokens, tokens) }
            return
        }
        Parallel.forEach(parts: sequences * pieces) { part in
            let sequence = part / pieces, first = (part % pieces) * piece
            body(sequence, sequence * tokens + first, min(piece, tokens - first))
        }
    }

    private func modulatedNorm(_ ada: UnsafePointer<Float>, scaleAt: Int, shiftAt: Int, tokens: Int) {
        let c = transformer.shape.width
        perSequence(tokens) { sequence, first, count in
            let vector = ada + sequence * 6 * c
            Kernels.layerNormModulated(
                self.hidden.pointer + first * c, rows: count, width: c, scale: vector + scaleAt * c,
                shift: vector + shiftAt * c, into: self.normed.pointer + first * c)
        }
    }

    private func addGated(_ ada: UnsafePointer<Float>, gammaAt: Int, tokens: Int) {
        let c = transformer.shape.width
        perSequence(tokens) { sequence, first, count in
            Kernels.addGated(
                self.hidden.pointer + first * c, self.normed.pointer + first * c,
                gamma: ada + sequence * 6 * c + gammaAt * c, rows: count, width: c)
        }
    }

    /// `[rows, 3C]` -> queries, keys, values `[sequence, H, n, D]`, queries and keys normalised, scaled and rotated.
    private func splitHeads(_ block: InfinityBlock, scale: Int) {
        let shape = transformer.shape, c = shape.width, d = shape.headWidth, heads = shape.heads
        let tokens = shape.schedule.tokenCount(scale)
        let cosines = transformer.rotary.cosines[scale], sines = transformer.rotary.sines[scale]
        Parallel.forEach(parts: cache.geometry.sequences * heads) { cell in
            let (sequence, head) = (cell / heads, cell % heads)
            let target = cell * tokens * d
            for token in 0..<tokens {
                let source = self.qkv.pointer + (sequence * tokens + token) * 3 * c + head * d
                (self.queries.pointer + target + token * d).update(from: source, count: d)
                (self.keys.pointer + target + token * d).update(from: source + c, count: d)
                (self.values.pointer + target + token * d).update(from: source + 2 * c, count: d)
            }
            if let raw = self.rawQueries {
                for place in 0..<tokens * d {
                    raw.pointer[target + place] =
                        self.queries.pointer[target + place] - block.queryBias[head * d + place % d]
                }
            }
            Kernels.l2Normalise(
                self.queries.pointer + target, rows: tokens, width: d, factor: block.queryScale[head])
            Kernels.l2Normalise(self.keys.pointer + target, rows: tokens, width: d)
            Kernels.rope(self.queries.pointer + target, rows: tokens, width: d, cosines: cosines, sines: sines)
            Kernels.rope(self.keys.pointer + target, rows: tokens, width: d, cosines: cosines, sines: sines)
        }
    }

    private func crossAttend(_ block: InfinityBlock, layer: Int, tokens: Int, conditioning: InfinityConditioning) {
        let shape = transformer.shape, c = shape.width, d = shape.headWidth, heads = shape.heads
        let rows = cache.geometry.sequences * tokens
        perSequence(tokens) { _, first, count in
            Kernels.layerNorm(
                self.hidden.pointer + first * c, rows: count, width: c, weight: block.crossNormWeight,
                bias: block.crossNormBias, into: self.normed.pointer + first * c)
        }
        block.crossQuery(normed.pointer, rows: rows, into: queries.pointer)
        let factor = 1 / Float(d).squareRoot()
        perSequence(tokens) { _, first, count in
            for i in (first * c)..<((first + count) * c) { self.queries.pointer[i] *= factor }
        }
        let longest = conditioning.textCounts.max() ?? 1
        scratch.reserve(countEach: Attention.scratchCount(headWidth: d, historyCount: longest, currentCount: 0))
        nonisolated(unsafe) let conditioning = conditioning
        Parallel.forEach(parts: cache.geometry.sequences * heads) { cell in
            let (sequence, head) = (cell / heads, cell % heads)
            let count = conditioning.textCounts[sequence], offset = head * count * d
            conditioning.crossKeys[layer][sequence].withUnsafeBufferPointer { k in
                conditioning.crossValues[layer][sequence].withUnsafeBufferPointer { v in
                    var attention = Attention(
                        queries: self.queries.pointer + sequence * tokens * c + head * d, queryStride: c,
                        queryCount: tokens, headWidth: d,
                        output: self.attended.pointer + sequence * tokens * c + head * d, outputStride: c)
                    attention.historyKeys = k.baseAddress.map { UnsafeRawPointer($0 + offset) }
                    attention.historyValues = v.baseAddress.map { UnsafeRawPointer($0 + offset) }
                    attention.historyCount = count
                    attention.run(scratch: self.scratch.pointer)
                }
            }
        }
        block.crossProjection(attended.pointer, rows: rows, into: normed.pointer)
        perSequence(tokens) { _, first, count in
            Kernels.addGated(self.hidden.pointer + first * c, self.normed.pointer + first * c, rows: count, width: c)
        }
    }
}
