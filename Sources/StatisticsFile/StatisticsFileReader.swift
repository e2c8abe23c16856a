import CHDF5Shim
import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Reads the content of one statistics file.
struct StatisticsFileReader {
    /// What the root attributes say.
    struct Header {
        let identity: ModelIdentity
        let schedule: ScaleSchedule
        let settings: CalibrationSettings
        let corpus: CorpusReference
        let promptCount: Int
    }

    let session: HDF5Session
    let root: hid_t
    /// The file's size: what its data sets claim to hold must fit into it.
    let fileBytes: Int

    private typealias Names = StatisticsFileNames

    /// Reads the root attributes.
    func header() throws -> Header {
        let format = try text(Names.format)
        let version = try integer(Names.schemaVersion)
        guard format == StatisticsSeal.format, StatisticsSeal.readableVersions.contains(version) else {
            throw VernierError(
                .unsupportedVersion, at: session.fileName,
                expected: "\(StatisticsSeal.format) 1 to \(StatisticsSeal.schemaVersion)", found: "\(format) \(version)"
            )
        }
        let header = try inThisFile {
            Header(
                identity: try identity(), schedule: try schedule(), settings: try settings(version: version),
                corpus: try CorpusReference(
                    digest: text(Names.corpusDigest), promptCount: integer(Names.corpusPromptCount)),
                promptCount: try integer(Names.promptCount))
        }
        guard (0...header.corpus.promptCount).contains(header.promptCount),
            try integer(Names.complete) == (header.promptCount == header.corpus.promptCount ? 1 : 0)
        else {
            throw VernierError(
                .malformedFile, at: session.fileName,
                expected: "at most \(header.corpus.promptCount) prompts and 'complete' to match",
                found: "\(header.promptCount) prompts")
        }
        return header
    }

    /// Reads everything.
    func statistics() throws -> CalibrationStatistics {
        let header = try header()
        let layout = try inThisFile {
            try StatisticsLayout(
                identity: header.identity, schedule: header.schedule, topCounts: header.settings.topCounts,
                signCount: header.settings.signCount)
        }
        try checkSize(layout, promptCount: header.promptCount, halves: header.settings.keepsHalves)
        let journalGroup = try session.openGroup(Names.journal, in: root)
        let indices = try session.readDataset(
            Names.corpusIndex, shape: [header.promptCount], in: journalGroup, zero: 0)
        let digests = try session.readTexts(Names.promptDigest, count: header.promptCount, in: journalGroup)
        let counts = try session.readDataset(
            Names.counts, shape: layout.shape(of: .currentMass), in: root, zero: 0)
        let sumsGroup = try session.openGroup(Names.sums, in: root)
        let sums = try Statistic.all.map {
            try session.readDataset($0.name, shape: layout.shape(of: $0), in: sumsGroup, zero: 0.0)
        }
        let rowsGroup = try session.openGroup(Names.rows, in: root)
        let rows = try Statistic.withRows.map {
            try session.readDataset(
                $0.name, shape: [header.promptCount] + layout.shape(of: $0), in: rowsGroup, zero: 0.0)
        }
        let sketches = layout.signCount > 0 ? try sketches(Names.sketches, layout) : []
        let evenSketches = header.settings.keepsHalves ? try self.sketches(Names.evenSketches, layout) : []
        let probed = CalibrationStatistics.probedCount(indices, header.settings)
        let responses = try responses(layout, count: probed, settings: header.settings)
        let storageErrors = try storageErrors(layout, count: probed, settings: header.settings)
        return try inThisFile(.corruptState) {
            try CalibrationStatistics(
                identity: header.identity, schedule: header.schedule, settings: header.settings,
                corpus: header.corpus,
                journal: zip(indices, digests).map { PromptJournalEntry(corpusIndex: $0, promptDigest: $1) },
                counts: counts, sums: sums, rows: rows, sketches: sketches, evenSketches: evenSketches,
                responses: responses,
                storageErrors: storageErrors)
        }
    }

    // MARK: - Parts

    private func identity() throws -> ModelIdentity {
        try ModelIdentity(
            family: text(Names.family), name: text(Names.name), branches: integer(Names.branches),
            layers: integer(Names.layers), heads: integer(Names.heads), headWidth: integer(Names.headWidth),
            shapeDigest: text(Names.shapeDigest), weightsDigest: text(Names.weightsDigest))
    }

    private func schedule() throws -> ScaleSchedule {
        let sides = try session.readListAttribute(Names.grids, columns: 2, of: root, as: Int.self)
        let ropeGrid = try session.readListAttribute(Names.ropeGrid, of: root, as: Int.self)
        guard ropeGrid.count == 2 else {
            throw VernierError(
                .malformedFile, at: session.fileName, expected: "2 numbers in '\(Names.ropeGrid)'",
                found: "\(ropeGrid.count)")
        }
        return try ScaleSchedule(
            grids: stride(from: 0, to: sides.count, by: 2).map {
                ScaleSchedule.Grid(height: sides[$0], width: sides[$0 + 1])
            },
            ropeGrid: ScaleSchedule.Grid(height: ropeGrid[0], width: ropeGrid[1]))
    }

    /// The sums of each of ``Sketch/all`` in a group.
    private func sketches(_ name: String, _ layout: StatisticsLayout) throws -> [[Float]] {
        let group = try session.openGroup(name, in: root)
        return try Sketch.all.map {
            try session.readDataset($0.name, shape: layout.shape(of: $0), in: group, zero: Float(0))
        }
    }

    /// The layer responses of `count` prompts; none if no prompts were to be probed.
    private func responses(
        _ layout: StatisticsLayout, count: Int, settings: CalibrationSettings
    ) throws -> [LayerResponses] {
        guard settings.sensitivityPrompts > 0 else { return [] }
        let group = try session.openGroup(Names.responses, in: root)
        let shape = [count, layout.layers, layout.scaleCount], each = layout.layers * layout.scaleCount
        let divergences = try session.readDataset(Names.divergence, shape: shape, in: group, zero: 0.0)
        let errors = try session.readDataset(Names.squaredError, shape: shape, in: group, zero: 0.0)
        return (0..<count).map {
            LayerResponses(
                divergence: Array(divergences[$0 * each..<($0 + 1) * each]),
                squaredError: Array(errors[$0 * each..<($0 + 1) * each]))
        }
    }

    /// The storage errors of `count` prompts; none if no prompts were to be probed, or for no format.
    private func storageErrors(
        _ layout: StatisticsLayout, count: Int, settings: CalibrationSettings
    ) throws -> [StorageErrors] {
        guard settings.sensitivityPrompts > 0, !settings.storageFormats.isEmpty else { return [] }
        let group = try session.openGroup(Names.storageErrors, in: root), each = layout.cellCount
        let errors = try settings.storageFormats.map {
            try session.readDataset(
                $0.name, shape: [count] + layout.shape(of: .currentMass), in: group, zero: 0.0)
        }
        return (0..<count).map { prompt in
            StorageErrors(values: errors.map { Array($0[prompt * each..<(prompt + 1) * each]) })
        }
    }

    /// The storage formats; versions 1 and 2 knew none.
    private func storageFormats(version: Int) throws -> [StorageFormat] {
        guard version > 2 else { return [] }
        return try text(Names.storageFormats).split(separator: " ").map { name in
            guard let format = StorageFormat(name: String(name)) else {
                throw VernierError(
                    .malformedFile, at: session.fileName,
                    expected: "storage formats among \(StorageFormat.knownNames.joined(separator: ", "))",
                    found: JSONValue.quoted(String(name)))
            }
            return format
        }
    }

    /// The arithmetic; written only if it is not float32.
    private func arithmetic() throws -> Arithmetic {
        guard try session.hasAttribute(Names.arithmetic, of: root) else { return .float32 }
        let name = try text(Names.arithmetic)
        guard let arithmetic = Arithmetic(rawValue: name) else {
            throw VernierError(
                .malformedFile, at: session.fileName,
                expected: "an arithmetic among \(Arithmetic.allCases.map(\.rawValue).joined(separator: ", "))",
                found: JSONValue.quoted(name))
        }
        return arithmetic
    }

    /// Whether halves are kept; versions 1 to 3 knew none.
    private func keepsHalves(version: Int) throws -> Bool {
        guard version > 3 else { return false }
        let kept = try integer(Names.keepsHalves)
        guard (0...1).contains(kept) else {
            throw VernierError(
                .malformedFile, at: session.fileName, expected: "0 or 1 for '\(Names.keepsHalves)'", found: "\(kept)")
        }
        return kept == 1
    }

    /// The settings; version 1 knew neither signs nor layer responses.
    private func settings(version: Int) throws -> CalibrationSettings {
        try CalibrationSettings(
            topCounts: session.readListAttribute(Names.topCounts, of: root, as: Int.self),
            signCount: version == 1 ? 0 : integer(Names.signCount),
            keepsHalves: keepsHalves(version: version),
            sensitivityPrompts: version == 1 ? 0 : integer(Names.sensitivityPrompts),
            storageFormats: storageFormats(version: version),
            seed: session.readAttribute(Names.seed, of: root, as: UInt64.self), guidance: number(Names.guidance),
            temperature: number(Names.temperature), topP: number(Names.topP), topK: integer(Names.topK),
            arithmetic: arithmetic(),
            toolVersion: text(Names.toolVersion))
    }

    private func text(_ name: String) throws -> String { try session.readTextAttribute(name, of: root) }

    private func integer(_ name: String) throws -> Int {
        try session.readAttribute(name, of: root, as: Int.self)
    }

    private func number(_ name: String) throws -> Double {
        try session.readAttribute(name, of: root, as: Double.self)
    }

    /// Checks that the numbers which the header promises fit into the file at all.
    private func checkSize(_ layout: StatisticsLayout, promptCount: Int, halves: Bool) throws {
        var values = layout.cellCount + Statistic.all.reduce(0) { $0 + layout.valueCount(of: $1) }
        let row = Statistic.withRows.reduce(1) { $0 + layout.valueCount(of: $1) }
        let (rows, overflows) = row.multipliedReportingOverflow(by: promptCount)
        // Two of the sketches' numbers take the place of one of the others.
        let sketches = Sketch.all.reduce(0) { $0 + layout.valueCount(of: $1) }
        values += halves ? sketches : sketches / 2
        values = overflows ? Int.max : values.addingReportingOverflow(rows).partialValue
        guard values >= 0, values <= fileBytes / 8 else {
            throw VernierError(
                .malformedFile, at: session.fileName, expected: "at least \(values) numbers of 8 bytes by the header",
                found: "a file of \(fileBytes) bytes")
        }
    }

    /// Restates an error of `body` as one of this file.
    private func inThisFile<Result>(
        _ code: VernierError.Code = .malformedFile, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let error as VernierError where error.code != .fileAccess && error.code != .malformedFile {
            throw VernierError(
                code, at: session.fileName, problems: error.problems.map { "\(error.place): \($0)" },
                remedy: error.remedy)
        }
    }
}
