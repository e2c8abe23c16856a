import Foundation
import VernierCore

/// The finished measurements in the folder `candidates` of a frontier's results, one file each, named by their keys.
struct MeasurementStore: Sendable {
    private let folder: String

    /// Makes the folder if need be. Throws ``VernierError/Code/fileAccess``.
    init(folder: String) throws {
        self.folder = folder
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw VernierError(
                .fileAccess, at: fileName(of: folder), problems: ["cannot make the folder"],
                remedy: "Check that '\(folder)' can be written and is no file.", underlying: error)
        }
    }

    /// The name of the file of a key.
    static func recordName(key: String) -> String { "\(key.prefix(24)).json" }

    private func path(_ key: String) -> String { "\(folder)/\(Self.recordName(key: key))" }

    /// Whether a measurement is stored.
    func has(_ key: String) -> Bool { FileManager.default.fileExists(atPath: path(key)) }

    /// The stored measurement of `records` pictures; nil if there is none.
    ///
    /// Throws ``VernierError/Code/malformedFile`` for a file that is something else.
    func read(_ key: String, records: Int) throws -> Measurement? {
        guard has(key) else { return nil }
        let file = try MappedFile(path: path(key))
        do {
            let cursor = JSONCursor(try file.withBytes { try JSONValue.parse($0, name: file.name) }, place: file.name)
            let measurement = try Measurement(reading: cursor)
            guard measurement.key == key, measurement.records.count == records else {
                throw cursor.error(
                    expected: "\(records) pictures under the key \(key.prefix(24))...",
                    found: "\(measurement.records.count) under \(measurement.key.prefix(24))...")
            }
            return measurement
        } catch let error as VernierError {
            throw VernierError(
                error.code, at: error.place, problems: error.problems,
                remedy: "Remove the file from the folder 'candidates' and run again.")
        }
    }

    /// Stores a measurement, whole or not at all.
    func write(_ measurement: Measurement) throws {
        try AtomicFile.write(try measurement.json.canonicalText(), to: path(measurement.key))
    }
}
