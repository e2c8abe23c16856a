import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import VernierCore

/// A model and, if wanted, a profile: draws pictures, with the whole history or with what the profile keeps.
///
/// Caches and activations are allocated once for each batch size that is used, and serve every later batch.
/// Not for use by several threads at once; the work inside a batch is spread over the process's thread pool.
///
/// A profile with the rule `oracle` runs every batch twice: first with the full cache, to see what attention is really
/// paid, then as the profile says. That is a ceiling to measure against, not a saving; ``report`` covers the second
/// run.
public final class ImageGenerator {
    /// The model.
    public let model: ImageModel
    /// The profile; nil for the full cache.
    public let profile: Profile?
    /// What the last batch cost.
    public private(set) var report: GenerationReport?
    private let retention: Retention
    private let tape: AttentionTape?  // for the oracle
    private let arena = MapArena()  // of the decoder
    private var generators: [Int: NextScaleGenerator] = [:]
    private var fullGenerators: [Int: NextScaleGenerator] = [:]  // for the oracle

    /// Pairs a model with a profile.
    ///
    /// Throws one ``VernierError/Code/mismatch`` with all differences if the profile was compiled for another model or
    /// schedule; `profileName` is what the message calls it.
    public init(model: ImageModel, profile: Profile? = nil, profileName: String = "profile") throws {
        try profile?.requireFit(model: model.identity, schedule: model.schedule, name: profileName)
        self.model = model
        self.profile = profile
        let tape = profile?.selection.name == OracleRule.name ? AttentionTape() : nil
        self.tape = tape
        retention =
            try profile.map { try Retention(of: $0, named: profileName, tape: tape) }
            ?? .rule(SlidingWindowRule())  // never asked: the full cache drops nothing
    }

    /// Draws the requested pictures, `batchSize` at a time.
    ///
    /// `progress` is called after every scale of every batch; a unit is one scale of one picture.
    public func generate(
        _ requests: [ImageRequest], settings: SamplingSettings, batchSize: Int = 1,
        progress: ProgressHandler? = nil
    ) throws -> [GeneratedImage] {
        let scales = model.schedule.scaleCount, clock = ContinuousClock(), start = clock.now
        var images: [GeneratedImage] = []
        for first in stride(from: 0, to: requests.count, by: max(batchSize, 1)) {
            let batch = Array(requests[first..<min(first + max(batchSize, 1), requests.count)])
            var hooks = GenerationHooks()
            hooks.finishedScale = { scale in
                let done = first * scales + (scale + 1) * batch.count
                let seconds = (clock.now - start) / .seconds(1)
                progress?(
                    ProgressReport(
                        done: done, total: requests.count * scales, stage: "generating", elapsedSeconds: seconds))
            }
            images += try generateBatch(batch, settings: settings, hooks: hooks)
        }
        return images
    }

    /// Draws one batch under `hooks` and records what it cost in ``report``.
    public func generateBatch(
        _ batch: [ImageRequest], settings: SamplingSettings, hooks: GenerationHooks = GenerationHooks()
    ) throws -> [GeneratedImage] {
        let (output, generator) = try run(batch, settings: settings, hooks: hooks)
        var times = output.times, clock = output.clock
        let size = model.network.pictureSize
        let images = try output.codes.enumerated().map { index, code in
            let planar = model.network.decode(code, arena: arena)
            let picture = try planar.withUnsafeBufferPointer {
                try Picture(planar: $0, width: size.width, height: size.height)
            }
            return GeneratedImage(picture: picture, choices: output.choices.map { $0[index] })
        }
        times.decodeSeconds = clock.lap()
        record(generator, times: times, of: batch)
        return images
    }

    /// Draws the choices of one batch under `hooks` without decoding them (calibration, teacher forcing).
    public func generateChoices(
        _ batch: [ImageRequest], settings: SamplingSettings, hooks: GenerationHooks
    ) throws -> [[[Int32]]] {
        let (output, generator) = try run(batch, settings: settings, hooks: hooks)
        record(generator, times: output.times, of: batch)
        return output.choices
    }

    private func run(
        _ batch: [ImageRequest], settings: SamplingSettings, hooks: GenerationHooks
    ) throws -> (NextScaleGenerator.Output, NextScaleGenerator) {
        let generator = try generator(batchSize: batch.count)
        var clock = StageClock()
        let conditions =
            try batch.map(\.condition)
            + batch.map { try $0.negative ?? model.network.unconditional(for: $0.condition) }
        if let tape {
            tape.erase()
            var watching = GenerationHooks()
            watching.forcedChoices = hooks.forcedChoices
            watching.attention = tape
            _ = try fullGenerator(batchSize: batch.count).generate(
                conditions: conditions, seeds: batch.map(\.seed), settings: settings, hooks: watching)
            clock = StageClock()
        }
        return (
            try generator.generate(
                conditions: conditions, seeds: batch.map(\.seed), settings: settings, hooks: hooks, clock: clock),
            generator
        )
    }

    private func record(_ generator: NextScaleGenerator, times: StageTimes, of batch: [ImageRequest]) {
        let geometry = generator.cache.geometry
        var times = times
        times.textSeconds += batch.reduce(0) { $0 + $1.encodingSeconds }
        report = GenerationReport(
            images: geometry.images, ledger: generator.cache.ledger, transientBytes: generator.transientBytes,
            times: times,
            keptShape: [geometry.branches, geometry.schedule.scaleCount, geometry.layers, geometry.heads])
    }

    private func generator(batchSize: Int) throws -> NextScaleGenerator {
        if let existing = generators[batchSize] { return existing }
        let cache = try KVCache(
            geometry: geometry(batchSize: batchSize), capacities: profile?.capacities ?? fullCapacities,
            retention: retention, storage: profile?.storage ?? .float32)
        let made = NextScaleGenerator(model: model.network, cache: cache)
        generators[batchSize] = made
        return made
    }

    /// The generator that shows the oracle what attention is paid.
    private func fullGenerator(batchSize: Int) throws -> NextScaleGenerator {
        if let existing = fullGenerators[batchSize] { return existing }
        let cache = try KVCache(
            geometry: geometry(batchSize: batchSize), capacities: fullCapacities, selector: SlidingWindowRule())
        let made = NextScaleGenerator(model: model.network, cache: cache)
        fullGenerators[batchSize] = made
        return made
    }

    private func geometry(batchSize: Int) -> CacheGeometry {
        model.network.stack.geometry(branches: model.identity.branches, images: batchSize)
    }

    private var fullCapacities: CellCapacities { model.network.stack.fullCapacities }
}
