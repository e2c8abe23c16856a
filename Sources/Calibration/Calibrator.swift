import CalibrationStatistics
import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import StatisticsFile
import TensorKernels
import VernierCore

/// Runs a corpus through a model with the full cache and sums up what its attention did.
///
/// Prompts are counted one by one in corpus order, in Float64, whatever the batch size: a run that was interrupted and
/// resumed ends with the same bits as one that was not. The file is replaced as a whole every few prompts.
public final class Calibrator {
    /// The model.
    public let model: ImageModel
    /// The statistics so far.
    public private(set) var statistics: CalibrationStatistics
    /// What ``run(savingTo:progress:)`` took so far.
    public private(set) var times = CalibrationTimes()
    private let request: CalibrationRequest
    private let settings: SamplingSettings
    private let promptCount: Int

    /// Prepares a calibration; nothing runs and nothing is written yet.
    ///
    /// Throws ``VernierError/Code/emptyInput`` for an empty selection of prompts, and
    /// ``VernierError/Code/invalidArgument`` for settings out of range or guidance and temperature that vary by scale, and
    /// for prompts that the model cannot draw.
    public init(model: ImageModel, request: CalibrationRequest) throws {
        self.model = model
        self.request = request
        settings = request.settings ?? model.defaultSettings
        promptCount = min(request.limit ?? request.corpus.prompts.count, request.corpus.prompts.count)
        guard promptCount > 0 else {
            throw VernierError(
                .emptyInput, at: "calibration", expected: "at least one prompt", found: "none",
                remedy: "Give a corpus with prompts and a limit of at least 1.")
        }
        guard request.batchSize > 0, request.saveInterval > 0 else {
            throw VernierError(
                .invalidArgument, at: "calibration", expected: "a batch size and a save interval of at least 1",
                found: "\(request.batchSize) and \(request.saveInterval)")
        }
        guard settings.guidance.count == 1, settings.temperature.count == 1, settings.placement == .logits else {
            throw VernierError(
                .invalidArgument, at: "calibration",
                expected: "one guidance, on the logits, and one temperature for all scales",
                found: "\(settings.guidance.count) at \(settings.placement.layers), \(settings.temperature.count)",
                remedy: "Calibrate with what is nearest; the profile serves any sampling.")
        }
        try model.requireKnown(request.corpus.prompts.prefix(promptCount))
        let layout = try StatisticsLayout(
            identity: model.identity, schedule: model.schedule, topCounts: request.topCounts,
            signCount: request.signCount)
        let sketchBytes = 4 * Sketch.all.reduce(0) { $0 + layout.valueCount(of: $1) }
        statistics = try CalibrationStatistics(
            identity: model.identity, schedule: model.schedule,
            settings: CalibrationSettings(
                topCounts: request.topCounts, signCount: request.signCount,
                keepsHalves: request.keepsHalves ?? (request.signCount > 0 && sketchBytes <= Self.halvesBytes),
                sensitivityPrompts: request.sensitivityPrompts,
                storageFormats: request.sensitivityPrompts > 0 ? StorageProbe.formats : [], seed: request.seed,
                guidance: Double(settings.guidance[0]),
                temperature: Double(settings.temperature[0]), topP: Double(settings.topP), topK: settings.topK,
                arithmetic: .current, toolVersion: request.toolVersion),
            corpus: CorpusReference(digest: request.corpus.digest, promptCount: promptCount))
    }

    /// Takes up the statistics of an interrupted run.
    ///
    /// Throws ``VernierError/Code/mismatch`` naming every difference of model, schedule, settings or corpus, and
    /// ``VernierError/Code/corruptState`` if the journal is not a beginning of this corpus.
    public func resume(from saved: CalibrationStatistics, name: String) throws {
        var problems = saved.identity.differences(from: statistics.identity)
        problems += saved.schedule.differences(from: statistics.schedule)
        problems += saved.settings.differences(from: statistics.settings)
        if saved.corpus.digest != statistics.corpus.digest {
            problems.append(
                "expected corpus \(statistics.corpus.digest.prefix(12))..., found \(saved.corpus.digest.prefix(12))...")
        }
        if saved.corpus.promptCount != statistics.corpus.promptCount {
            problems.append(
                "expected \(statistics.corpus.promptCount) prompts in all, found \(saved.corpus.promptCount)")
        }
        guard problems.isEmpty else {
            throw VernierError(
                .mismatch, at: name, problems: problems,
                remedy: "Resume with the same model, corpus, limit and settings, or calibrate into another file.")
        }
        for (index, entry) in saved.journal.enumerated()
        where index >= promptCount || entry.corpusIndex != index
            || entry.promptDigest != request.corpus.prompts[index].digest
        {
            throw VernierError(
                .corruptState, at: name,
                problems: ["entry \(index) of the journal is not prompt \(index) of the corpus"],
                remedy: "Calibrate again without --resume.")
        }
        statistics = saved
    }

    /// Runs what is missing, saving to `path` on the way and at the end.
    ///
    /// `progress` counts prompts; the first ones take longer if layers are disturbed for them. Throws
    /// ``VernierError/Code/nonFinite`` or ``VernierError/Code/corruptState`` if a prompt's or the whole run's statistics
    /// have gaps or are not finite; the file then holds the last good state, and this calibrator is of no further use:
    /// make another and resume from the file.
    public func run(savingTo path: String, progress: ProgressHandler? = nil) throws {
        let generator = try ImageGenerator(model: model)
        let clock = ContinuousClock(), start = clock.now, first = statistics.promptCount
        func report(_ stage: String) {
            progress?(
                ProgressReport(
                    done: statistics.promptCount - first, total: promptCount - first, stage: stage,
                    elapsedSeconds: (clock.now - start) / .seconds(1)))
        }
        func save() throws {
            let began = clock.now
            try StatisticsFile.write(statistics, to: path)
            times.savingSeconds += (clock.now - began) / .seconds(1)
        }
        var unsaved = 0
        var observer: StatisticsObserver?
        while statistics.promptCount < promptCount {
            let batch = request.corpus.prompts[
                statistics.promptCount..<min(statistics.promptCount + request.batchSize, promptCount)]
            let began = clock.now, disturbed = times.disturbingSeconds
            let current: StatisticsObserver
            if let made = observer, made.images == batch.count {
                current = made
            } else {
                current = StatisticsObserver(
                    layout: statistics.layout, stack: model.network.stack, images: batch.count)
                observer = current
            }
            try count(batch, generator: generator, observer: current) { layer in
                report("disturbing layer \(layer + 1) of \(model.identity.layers)")
            }
            times.pictures += batch.count
            times.measuringSeconds += (clock.now - began) / .seconds(1) - (times.disturbingSeconds - disturbed)
            unsaved += batch.count
            if unsaved >= request.saveInterval, statistics.promptCount < promptCount {
                try save()
                unsaved = 0
            }
            report("calibrating")
        }
        let gaps = statistics.coverageProblems()
        guard gaps.isEmpty else { throw VernierError(.corruptState, at: "calibration", problems: gaps) }
        try save()
    }

    /// Draws and counts one batch of prompts.
    private func count(
        _ batch: ArraySlice<CorpusPrompt>, generator: ImageGenerator, observer: StatisticsObserver,
        eachLayer: (_ layer: Int) -> Void
    ) throws {
        let sketches = lendSketches(prompts: batch.map(\.index))
        let probed = batch.prefix { $0.index < request.sensitivityPrompts }.count
        observer.begin(sketches: sketches, probed: probed)
        var hooks = GenerationHooks()
        hooks.attention = observer
        let requests = try batch.map {
            try model.request(for: $0, seed: request.seed &+ UInt64($0.index))
        }
        var logits: [[[Float]]] = []  // [scale][probed prompt]
        if probed > 0 {
            hooks.logits = { _, values in
                let each = values.count / batch.count
                logits.append((0..<probed).map { Array(values[($0 * each)..<(($0 + 1) * each)]) })
            }
        }
        let choices = try generator.generateChoices(requests, settings: settings, hooks: hooks)
        let responses = try respond(
            generator, to: Array(requests[..<probed]), choices: choices.map { Array($0[..<probed]) }, logits: logits,
            eachLayer: eachLayer)
        for (place, prompt) in batch.enumerated() {
            try statistics.count(
                observer.statistics(image: place), corpusIndex: prompt.index, promptDigest: prompt.digest,
                responses: place < probed ? responses[place] : nil,
                storageErrors: observer.storageErrors(image: place))
        }
        if let sketches { statistics.returnSketches(sketches.finish()) }
    }

    /// Disturbs the layers for the probed prompts of a batch; empty if there are none.
    private func respond(
        _ generator: ImageGenerator, to requests: [ImageRequest], choices: [[[Int32]]], logits: [[[Float]]],
        eachLayer: (_ layer: Int) -> Void
    ) throws -> [LayerResponses] {
        guard !requests.isEmpty else { return [] }
        let probe = LayerProbe(generator: generator, settings: settings, layout: statistics.layout)
        let clock = ContinuousClock(), began = clock.now
        defer {
            times.probedPictures += requests.count
            times.disturbingSeconds += (clock.now - began) / .seconds(1)
        }
        return try probe.responses(to: requests, choices: choices, logits: logits, eachLayer: eachLayer)
    }

    /// Hands the sketches' sums to an accumulator for a batch; nil without signs.
    private func lendSketches(prompts: [Int]) -> SketchAccumulator? {
        guard statistics.layout.signCount > 0 else { return nil }
        let accumulator = SketchAccumulator(
            sums: statistics.lendSketches(), keepsHalves: statistics.settings.keepsHalves, seed: request.seed,
            stack: model.network.stack)
        accumulator.begin(prompts: prompts)
        return accumulator
    }

    /// The most bytes of sketches whose halves are kept without being asked for: 256 MiB.
    public static let halvesBytes = 1 << 28

    /// What a run would do, for people: prompts, file size, memory.
    public func plan() -> String {
        let values = Statistic.all.reduce(0) { $0 + statistics.layout.valueCount(of: $1) }
        let rows = Statistic.withRows.reduce(0) { $0 + statistics.layout.valueCount(of: $1) }
        let halves = statistics.settings.keepsHalves
        let sketches = Sketch.all.reduce(0) { $0 + statistics.layout.valueCount(of: $1) } * (halves ? 2 : 1)
        let bytes = 8 * (values + rows * promptCount) + 4 * sketches
        return """
            model       \(model.identity.name): \(model.identity.layers) layers, \(model.identity.heads) heads, \
            \(model.schedule.scaleCount) scales, history \(model.schedule.finalHistoryTokens) tokens
            prompts     \(promptCount) of \(request.corpus.prompts.count) (corpus \(request.corpus.digest.prefix(12))...)
            settings    guidance \(settings.guidance[0]), temperature \(settings.temperature[0]), top-p \(settings.topP), \
            seed \(request.seed)\
            \(statistics.settings.arithmetic == .float32 ? "" : ", \(statistics.settings.arithmetic.rawValue) arithmetic")
            sketches    \(statistics.layout.signCount) signs: \(sketches) sums, \(4 * sketches) bytes in memory and file\
            \(halves ? ", those of half the prompts kept apart" : "")
            sensitivity \(min(request.sensitivityPrompts, promptCount)) prompts, drawn \(model.identity.layers) times more, \
            with storage errors of \(StorageProbe.formats.map(\.name).joined(separator: ", "))
            statistics  \(values) sums and \(rows) values a prompt; with the sketches \(bytes) bytes
            """
    }
}
