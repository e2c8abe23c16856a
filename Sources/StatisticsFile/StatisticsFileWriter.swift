import CHDF5Shim
import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Writes the content of one statistics file.
struct StatisticsFileWriter {
    let session: HDF5Session
    let statistics: CalibrationStatistics

    private typealias Names = StatisticsFileNames

    /// Writes everything below the root of `file`.
    func write(to file: hid_t) throws {
        try writeHeader(to: file)
        let journal = try session.createGroup(Names.journal, in: file)
        try describe(
            session.writeDataset(
                Names.corpusIndex, statistics.journal.map(\.corpusIndex), shape: [statistics.promptCount], to: journal),
            dimensions: "prompt", unit: "place in the corpus")
        try describe(
            session.writeDataset(Names.promptDigest, statistics.journal.map(\.promptDigest), to: journal),
            dimensions: "prompt", unit: "SHA-256")
        let layout = statistics.layout
        try describe(
            session.writeDataset(
                Names.counts, statistics.counts, shape: layout.shape(of: .currentMass), to: file),
            dimensions: Names.dimensions(of: .currentMass), unit: "prompts")
        let sums = try session.createGroup(Names.sums, in: file)
        for statistic in Statistic.all {
            try describe(
                session.writeDataset(
                    statistic.name, statistics.sums[statistic], shape: layout.shape(of: statistic), to: sums),
                dimensions: Names.dimensions(of: statistic), unit: Names.unit(of: statistic))
        }
        let rows = try session.createGroup(Names.rows, in: file)
        for statistic in Statistic.withRows {
            try describe(
                session.writeDataset(
                    statistic.name, statistics.rows(of: statistic),
                    shape: [statistics.promptCount] + layout.shape(of: statistic), to: rows),
                dimensions: "prompt " + Names.dimensions(of: statistic), unit: Names.unit(of: statistic))
        }
        if statistics.layout.signCount > 0 { try write(statistics.sketches, Names.sketches, to: file) }
        if statistics.settings.keepsHalves { try write(statistics.evenSketches, Names.evenSketches, to: file) }
        try writeResponses(to: file)
        try writeStorageErrors(to: file)
    }

    /// Writes a group of sketches.
    private func write(_ sketches: AttentionSketches, _ name: String, to file: hid_t) throws {
        let group = try session.createGroup(name, in: file)
        for sketch in Sketch.all {
            try describe(
                session.writeDataset(
                    sketch.name, sketches[sketch], shape: sketches.layout.shape(of: sketch), to: group),
                dimensions: Names.dimensions(of: sketch), unit: Names.unit(of: sketch))
        }
    }

    /// Writes the layer responses' group, if prompts are to be probed.
    private func writeResponses(to file: hid_t) throws {
        guard statistics.settings.sensitivityPrompts > 0 else { return }
        let layout = statistics.layout, responses = statistics.responses
        let shape = [responses.count, layout.layers, layout.scaleCount]
        let group = try session.createGroup(Names.responses, in: file)
        for (name, values, unit) in [
            (Names.divergence, responses.flatMap(\.divergence), "nats"),
            (Names.squaredError, responses.flatMap(\.squaredError), "squared residual norm"),
        ] {
            try describe(
                session.writeDataset(name, values, shape: shape, to: group), dimensions: "prompt layer scale",
                unit: unit)
        }
    }

    /// Writes the storage errors' group, if prompts are to be probed for some format.
    private func writeStorageErrors(to file: hid_t) throws {
        let settings = statistics.settings, errors = statistics.storageErrors
        guard settings.sensitivityPrompts > 0, !settings.storageFormats.isEmpty else { return }
        let group = try session.createGroup(Names.storageErrors, in: file)
        for (index, format) in settings.storageFormats.enumerated() {
            try describe(
                session.writeDataset(
                    format.name, errors.flatMap { $0.values[index] },
                    shape: [errors.count] + statistics.layout.shape(of: .currentMass), to: group),
                dimensions: "prompt " + Names.dimensions(of: .currentMass), unit: "squared residual norm")
        }
    }

    private func writeHeader(to file: hid_t) throws {
        let identity = statistics.identity
        let schedule = statistics.schedule
        let settings = statistics.settings
        let texts = [
            (Names.format, StatisticsSeal.format), (Names.toolVersion, settings.toolVersion),
            (Names.family, identity.family), (Names.name, identity.name),
            (Names.shapeDigest, identity.shapeDigest),
            (Names.weightsDigest, identity.weightsDigest ?? ""),  // statistics are of known weights
            (Names.corpusDigest, statistics.corpus.digest),
            (Names.storageFormats, settings.storageFormats.map(\.name).joined(separator: " ")),
        ]
        for (name, text) in texts { try session.writeAttribute(name, text, to: file) }
        if settings.arithmetic != .float32 {  // files that say nothing are of float32
            try session.writeAttribute(Names.arithmetic, settings.arithmetic.rawValue, to: file)
        }
        let integers = [
            (Names.schemaVersion, StatisticsSeal.schemaVersion), (Names.branches, identity.branches),
            (Names.layers, identity.layers), (Names.heads, identity.heads), (Names.headWidth, identity.headWidth),
            (Names.topK, settings.topK), (Names.signCount, settings.signCount),
            (Names.keepsHalves, settings.keepsHalves ? 1 : 0), (Names.sensitivityPrompts, settings.sensitivityPrompts),
            (Names.corpusPromptCount, statistics.corpus.promptCount),
            (Names.promptCount, statistics.promptCount), (Names.complete, statistics.isComplete ? 1 : 0),
        ]
        for (name, integer) in integers { try session.writeAttribute(name, [integer], to: file) }
        let numbers = [
            (Names.guidance, settings.guidance), (Names.temperature, settings.temperature), (Names.topP, settings.topP),
        ]
        for (name, number) in numbers { try session.writeAttribute(name, [number], to: file) }
        try session.writeAttribute(Names.seed, [settings.seed], to: file)
        let lists = [
            (Names.grids, schedule.grids.flatMap { [$0.height, $0.width] }, [schedule.scaleCount, 2]),
            (Names.ropeGrid, [schedule.ropeGrid.height, schedule.ropeGrid.width], [2]),
            (Names.historyTokens, (0..<schedule.scaleCount).map(schedule.historyTokens), [schedule.scaleCount]),
            (Names.topCounts, settings.topCounts, [settings.topCounts.count]),
        ]
        for (name, list, shape) in lists { try session.writeAttribute(name, list, shape: shape, to: file) }
    }

    /// Notes a data set's dimensions and unit beside it, for people.
    private func describe(_ dataset: hid_t, dimensions: String, unit: String) throws {
        try session.writeAttribute(Names.dimensions, dimensions, to: dataset)
        try session.writeAttribute(Names.unit, unit, to: dataset)
    }
}
