import Foundation
import ProfileFormat
import VernierCore

/// The folder that a ranking leaves behind.
///
///     rank.json   every profile's prediction and measurements, for programs
///     rank.md     correlations and tables, for people
///     profiles/   the profiles
public struct RankFolder: Sendable, Hashable {
    /// The folder's path.
    public let path: String

    /// Names a result folder; nothing is touched yet.
    public init(path: String) { self.path = path }

    /// Makes the folder if need be and writes the report's files, each whole or not at all; other files stay.
    ///
    /// The same report gives the same bytes. Throws ``VernierError/Code/fileAccess`` if something cannot be written.
    public func write(_ report: RankReport) throws {
        let json = try report.json().canonicalText(), markdown = try report.markdown()
        do {
            try FileManager.default.createDirectory(atPath: "\(path)/profiles", withIntermediateDirectories: true)
        } catch {
            throw VernierError(
                .fileAccess, at: fileName(of: path), problems: ["cannot make the folder"],
                remedy: "Check that '\(path)' can be written and is no file.", underlying: error)
        }
        for entry in report.equal + report.mixed { try entry.profile.write(to: "\(path)/profiles/\(entry.name).json") }
        try AtomicFile.write(json, to: "\(path)/rank.json")
        try AtomicFile.write(markdown, to: "\(path)/rank.md")
    }
}
