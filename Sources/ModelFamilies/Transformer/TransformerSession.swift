import KVCacheRuntime
import ProfileFormat
import TensorKernels

/// Runs one batch through a transformer, scale by scale, against a cache (`models.md` sections 2.5 and 3.5).
///
/// Holds the activations of one map; they are reused for every layer, scale and image.
final class TransformerSession {
    let stack: TransformerStack
    let cache: KVCache
    private let hidden, normed, qkv, queries, keys, values, attended, mlp, logits: FloatBuffer
    private let rawQueries: FloatBuffer?  // only for a rule that scores them
    private let scratch = ThreadScratch(countEach: 0)

    /// Bytes of the activations.
    var activationBytes: Int {
        [hidden, normed, qkv, queries, keys, values, attended, mlp, logits].reduce(0) { $0 + $1.byteCount }
            + (rawQueries?.byteCount ?? 0) + scratch.byteCount
    }

    /// Allocates activations for the largest map of the cache's geometry.
    /// - Precondition: the cache's geometry is the transformer's.
    init(_ stack: TransformerStack, cache: KVCache) {
        let geometry = cache.geometry, c = stack.width
        precondition(
            geometry == stack.geometry(branches: geometry.branches, images: geometry.images),
            "the cache's geometry is the transformer's")
        self.stack = stack
        self.cache = cache
        let rows = geometry.sequences * (stack.schedule.grids.map(\.tokenCount).max() ?? 0)
        hidden = FloatBuffer(count: rows * c)
        normed = FloatBuffer(count: rows * c)
        qkv = FloatBuffer(count: rows * 3 * c)
        queries = FloatBuffer(count: rows * c)
        rawQueries = cache.wantsRawQueries ? FloatBuffer(count: rows * c) : nil
        keys = FloatBuffer(count: rows * c)
        values = FloatBuffer(count: rows * c)
        attended = FloatBuffer(count: rows * c)
        mlp = FloatBuffer(count: rows * stack.mlpWidth)
        logits = FloatBuffer(count: rows * stack.head.outputs)
    }

    /// The hidden state `[sequences, n_k, C]` before the first block, or after the last, of the map that ran last.
    func hiddenState(scale: Int) -> [Float] {
        let rows = cache.geometry.sequences * stack.schedule.tokenCount(scale)
        return Array(UnsafeBufferPointer(start: hidden.pointer, count: rows * stack.width))
    }

    /// Embeds a map: the first from the condition, later ones from `input` `[B, n_k, inputs]`, the same for every branch.
    func embed(scale: Int, input: UnsafePointer<Float>?, conditioning: TransformerConditioning) {
        stack.embedding.embed(
            scale: scale, input: input, condition: conditioning.condition, geometry: cache.geometry,
            into: hidden.pointer)
    }

    /// Takes what entered a layer in another run in place of an embedded map.
    /// - Precondition: the counts of the hidden state match the map's.
    func take(hidden other: FloatBuffer, scale: Int) {
        let count = cache.geometry.sequences * stack.schedule.tokenCount(scale) * stack.width
        precondition(other.count == count, "the counts of the hidden state match the map's")
        hidden.pointer.update(from: other.pointer, count: count)
    }

    /// Runs all blocks from `start` on, on the map that was embedded or taken, filling and compacting the cache. With
    /// `guidance` the two branches are mixed behind the blocks of `placement`.
    func runBlocks(
        scale: Int, conditioning: TransformerConditioning, guidance: GuidanceFactors? = nil,
        placement: GuidancePlacement = .logits, observer: (any AttentionObserver)? = nil,
        disturbance: AttentionDisturbance? = nil, start: Int = 0,
        entering: ((_ scale: Int, _ layer: Int, _ values: UnsafeBufferPointer<Float>) -> Void)? = nil
    ) {
        let count = cache.geometry.sequences * stack.schedule.tokenCount(scale) * stack.width
        for layer in stack.blocks.indices {
            guard layer >= start else {
                cache.pass(scale: scale, layer: layer)
                continue
            }
            entering?(scale, layer, UnsafeBufferPointer(start: hidden.pointer, count: count))
            runBlock(layer, scale: scale, conditioning: conditioning, observer: observer, disturbance: disturbance)
            if let guidance, placement.isBehind(block: layer, depth: stack.depth) {
                mixBranches(guidance, scale: scale)
            }
        }
    }

    /// Replaces the hidden state of both branches by their guided mixture.
    private func mixBranches(_ guidance: GuidanceFactors, scale: Int) {
        let half = cache.geometry.images * stack.schedule.tokenCount(scale) * stack.width
        let (conditional, unconditional) = (hidden.pointer, hidden.pointer + half)
        for place in 0..<half {
            conditional[place] =
                guidance.conditional * conditional[place] + guidance.unconditional * unconditional[place]
        }
        unconditional.update(from: conditional, count: half)
    }

    /// The logits `[sequences, n_k, outputs]` of the map, before guidance and temperature.
    func headLogits(scale: Int, conditioning: TransformerConditioning) -> UnsafeBufferPointer<Float> {
        let tokens = stack.schedule.tokenCount(scale), rows = cache.geometry.sequences * tokens
        conditioning.headModulation.withUnsafeBufferPointer {
            if let vectors = $0.baseAddress {
                modulatedNorm(vectors, count: 2, scaleAt: 0, shiftAt: 1, tokens: tokens)
            }
        }
        stack.head(normed.pointer, rows: rows, into: logits.pointer)
        return UnsafeBufferPointer(start: logits.pointer, count: rows * stack.head.outputs)
    }

    // MARK: - One block

    private func runBlock(
        _ layer: Int, scale: Int, conditioning: TransformerConditioning, observer: (any AttentionObserver)?,
        disturbance: AttentionDisturbance?
    ) {
        let block = stack.blocks[layer], mlpWidth = stack.mlpWidth
        let tokens = stack.schedule.tokenCount(scale), rows = cache.geometry.sequences * tokens
        conditioning.modulation[layer].withUnsafeBufferPointer { buffer in
            guard let ada = buffer.baseAddress else { return }
            modulatedNorm(ada, count: 6, scaleAt: 2, shiftAt: 4, tokens: tokens)
            block.qkv(normed.pointer, rows: rows, into: qkv.pointer)
            splitHeads(block, scale: scale)
            cache.attend(
                scale: scale, layer: layer, queries: queries.pointer, keys: keys.pointer, values: values.pointer,
                rawQueries: rawQueries.map { UnsafePointer($0.pointer) }, into: attended.pointer, observer: observer)
            if let disturbance, disturbance.acts(layer: layer, scale: scale) {
                let clean = qkv.pointer, c = stack.width  // free since its heads were split
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
            if let cross = block.crossAttention {
                crossAttend(cross, layer: layer, tokens: tokens, conditioning: conditioning)
            }
            modulatedNorm(ada, count: 6, scaleAt: 3, shiftAt: 5, tokens: tokens)
            block.mlpIn(normed.pointer, rows: rows, into: mlp.pointer)
            perSequence(tokens) { _, first, count in
                Kernels.geluTanh(self.mlp.pointer + first * mlpWidth, count: count * mlpWidth)
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

    /// `normed = LN(hidden) * (1 + scale) + shift`, with scale and shift among the `count` vectors of each sequence.
    private func modulatedNorm(
        _ vectors: UnsafePointer<Float>, count vectorCount: Int, scaleAt: Int, shiftAt: Int, tokens: Int
    ) {
        let c = stack.width
        perSequence(tokens) { sequence, first, count in
            let vector = vectors + sequence * vectorCount * c
            Kernels.layerNormModulated(
                self.hidden.pointer + first * c, rows: count, width: c, scale: vector + scaleAt * c,
                shift: vector + shiftAt * c, into: self.normed.pointer + first * c)
        }
    }

    private func addGated(_ ada: UnsafePointer<Float>, gammaAt: Int, tokens: Int) {
        let c = stack.width
        perSequence(tokens) { sequence, first, count in
            Kernels.addGated(
                self.hidden.pointer + first * c, self.normed.pointer + first * c,
                gamma: ada + sequence * 6 * c + gammaAt * c, rows: count, width: c)
        }
    }

    /// `[rows, 3C]` -> queries, keys, values `[sequence, H, n, D]`; queries and keys normalised, scaled and rotated, as far
    /// as the family does so. The softmax scale goes into the queries.
    private func splitHeads(_ block: TransformerBlock, scale: Int) {
        let c = stack.width, d = stack.headWidth, heads = stack.heads
        let tokens = stack.schedule.tokenCount(scale)
        let cosines = stack.rotary?.cosines[scale], sines = stack.rotary?.sines[scale]
        // Without normalisation VAR scales by a quarter of the usual 1 / sqrt(D).
        let plainFactor = 0.25 / Float(d).squareRoot()
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
            if let factors = block.queryFactors {
                Kernels.l2Normalise(self.queries.pointer + target, rows: tokens, width: d, factor: factors[head])
                Kernels.l2Normalise(self.keys.pointer + target, rows: tokens, width: d)
            } else {
                for place in target..<(target + tokens * d) { self.queries.pointer[place] *= plainFactor }
            }
            if let cosines, let sines {
                Kernels.rope(self.queries.pointer + target, rows: tokens, width: d, cosines: cosines, sines: sines)
                Kernels.rope(self.keys.pointer + target, rows: tokens, width: d, cosines: cosines, sines: sines)
            }
        }
    }

    private func crossAttend(
        _ cross: CrossAttention, layer: Int, tokens: Int, conditioning: TransformerConditioning
    ) {
        let c = stack.width, d = stack.headWidth, heads = stack.heads
        let rows = cache.geometry.sequences * tokens
        perSequence(tokens) { _, first, count in
            Kernels.layerNorm(
                self.hidden.pointer + first * c, rows: count, width: c, weight: cross.normWeight,
                bias: cross.normBias, into: self.normed.pointer + first * c)
        }
        cross.query(normed.pointer, rows: rows, into: queries.pointer)
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
            conditioning.textKeys[layer][sequence].withUnsafeBufferPointer { k in
                conditioning.textValues[layer][sequence].withUnsafeBufferPointer { v in
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
        cross.projection(attended.pointer, rows: rows, into: normed.pointer)
        perSequence(tokens) { _, first, count in
            Kernels.addGated(self.hidden.pointer + first * c, self.normed.pointer + first * c, rows: count, width: c)
        }
    }
}
