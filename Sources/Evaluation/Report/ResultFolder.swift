import Foundation
import Generation
import VernierCore

/// The folder that an evaluation leaves behind.
///
///     report.json        all figures and records, for programs
///     report.md          tables, for people
///     contact-sheet.png  the pictures side by side, if there are any
///     settings.json      what to set to run it again
public struct ResultFolder: Sendable, Hashable {
    /// The folder's path.
    public let path: String

    /// Names a result folder; nothing is touched yet.
    public init(path: String) { self.path = path }

    /// The file of all figures and records.
    public var reportJSON: String { "\(path)/report.json" }
    /// The file of tables.
    public var reportMarkdown: String { "\(path)/report.md" }
    /// The picture file.
    public var contactSheet: String { "\(path)/contact-sheet.png" }
    /// The file of settings.
    public var settings: String { "\(path)/settings.json" }

    /// Makes the folder if need be and writes its files, each whole or not at all. An earlier contact sheet is removed
    /// if there is no new one; other files stay.
    ///
    /// The same report and sheet give the same bytes. Throws ``VernierCore/VernierError/Code/fileAccess`` if something
    /// cannot be written.
    public func write(_ report: EvaluationReport, contactSheet sheet: Picture?) throws {
        let texts = [
            (settings, try report.settings.canonicalText()), (reportJSON, try report.json().canonicalText()),
            (reportMarkdown, try report.markdown()),
        ]
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw VernierError(
                .fileAccess, at: fileName(of: path), problems: ["cannot make the folder"],
                remedy: "Check that '\(path)' can be written and is no file.", underlying: error)
        }
        for (file, text) in texts { try AtomicFile.write(text, to: file) }
        if let sheet {
            try PNGFile.write(sheet, to: contactSheet)
        } else if unlink(contactSheet) != 0 && errno != ENOENT {
            throw VernierError(
                .fileAccess, at: fileName(of: contactSheet),
                problems: ["cannot remove the earlier file: \(systemMessage())"])
        }
    }
}
