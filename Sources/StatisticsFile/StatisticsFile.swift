import CalibrationStatistics
import VernierCore

/// Statistics files: a calibration's sums, counts and journal in HDF5.
///
/// This module's page describes the format. The same statistics give the same bytes. A file
/// is written beside its place and renamed, so a reader sees the old file or the new one. Reading checks a SHA-256
/// over the file before HDF5 opens it, then every type, extent and storage before memory is taken, then that the
/// numbers fit together; it never follows a link out of the file.
public enum StatisticsFile {
    /// Writes statistics, complete or not, over whatever `path` holds.
    ///
    /// Throws ``VernierError/Code/fileAccess`` if that fails, and leaves the old file as it was.
    public static func write(_ statistics: CalibrationStatistics, to path: String) throws {
        let name = fileName(of: path)
        try AtomicFile.replace(path) { temporary in
            try HDF5Session.run(fileName: name) { session in
                let file = try session.createFile(temporary, userBlockBytes: StatisticsSeal.byteCount)
                try StatisticsFileWriter(session: session, statistics: statistics).write(to: file)
                try session.flush(file)
            }
            try StatisticsSeal.apply(to: temporary, fileName: name)
        }
    }

    /// Reads statistics, bit for bit what was written.
    ///
    /// Throws ``VernierError/Code/fileAccess``, ``VernierError/Code/malformedFile``,
    /// ``VernierError/Code/unsupportedVersion`` or, for numbers that contradict each other,
    /// ``VernierError/Code/corruptState``.
    public static func read(_ path: String) throws -> CalibrationStatistics {
        let file = try MappedFile(path: path)
        try StatisticsSeal.check(file)
        return try HDF5Session.run(fileName: file.name) { session in
            let root = try session.openFile(path)
            return try StatisticsFileReader(session: session, root: root, fileBytes: file.count).statistics()
        }
    }

    /// Reads what a statistics file says about itself. The file is read once for its digest; no numbers are loaded.
    ///
    /// Throws what ``read(_:)`` throws, but does not look at the numbers.
    public static func readSummary(_ path: String) throws -> StatisticsSummary {
        let file = try MappedFile(path: path)
        try StatisticsSeal.check(file)
        let fileDigest = file.withBytes { Digest.of($0) }
        return try HDF5Session.run(fileName: file.name) { session in
            let root = try session.openFile(path)
            let header = try StatisticsFileReader(session: session, root: root, fileBytes: file.count).header()
            return StatisticsSummary(
                identity: header.identity, schedule: header.schedule, settings: header.settings,
                corpus: header.corpus, promptCount: header.promptCount, fileBytes: file.count, fileDigest: fileDigest)
        }
    }

    /// SHA-256 over a file's bytes, in lower-case hexadecimal: a profile names the statistics it was compiled from by it.
    ///
    /// Throws ``VernierError/Code/fileAccess``.
    public static func digest(_ path: String) throws -> String {
        try MappedFile(path: path).withBytes { Digest.of($0) }
    }
}
