import Evaluation
import VernierCore

/// What was measured of one candidate: bytes, and one record a picture. Times are left out, so that an interrupted and
/// an uninterrupted run leave the same bytes.
struct Measurement: Sendable, Hashable {
    static let format = "vernier-measurement"
    static let version = 1

    /// The digest of everything that decides the numbers; see ``MeasurementKey``.
    let key: String
    /// Resident bytes of one picture, known before it was drawn.
    let predictedResidentBytes: Int
    /// The same as the runtime counted them.
    let measuredResidentBytes: Int?
    /// One record a job, in the order of the bench.
    let records: [PictureRecord]

    var json: JSONValue {
        [
            "format": .string(Self.format), "version": .integer(Int64(Self.version)), "key": .string(key),
            "predictedResidentBytes": .integer(Int64(predictedResidentBytes)),
            "measuredResidentBytes": measuredResidentBytes.map { .integer(Int64($0)) } ?? .null,
            "records": PictureColumns.json(records),
        ]
    }

    init(key: String, predictedResidentBytes: Int, measuredResidentBytes: Int?, records: [PictureRecord]) {
        self.key = key
        self.predictedResidentBytes = predictedResidentBytes
        self.measuredResidentBytes = measuredResidentBytes
        self.records = records.map { record in
            var untimed = record
            untimed.seconds = nil
            return untimed
        }
    }

    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: [
            "format", "key", "measuredResidentBytes", "predictedResidentBytes", "records", "version",
        ])
        guard try cursor.member("format").string() == Self.format,
            try cursor.member("version").integer() == Self.version
        else { throw cursor.error(expected: "a measurement of version \(Self.version)") }
        self.init(
            key: try cursor.member("key").string(),
            predictedResidentBytes: try cursor.member("predictedResidentBytes").integer(in: 0...Int.max),
            measuredResidentBytes: try cursor.optionalMember("measuredResidentBytes")?.integer(in: 0...Int.max),
            records: try PictureColumns.records(reading: cursor.member("records")))
    }
}
