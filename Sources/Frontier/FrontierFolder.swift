import Evaluation
import Foundation
import ProfileFormat
import VernierCore

/// The folder that a frontier leaves behind.
///
///     frontier.json      every point with estimates and bytes, for programs
///     frontier.md        tables, for people
///     frontier.svg, .png PSNR against resident bytes
///     profiles/          the profiles of the pareto set, ready to ship
///     candidates/        finished measurements, from which an interrupted run goes on
public struct FrontierFolder: Sendable, Hashable {
    /// The folder's path.
    public let path: String

    /// Names a result folder; nothing is touched yet.
    public init(path: String) { self.path = path }

    /// Makes the folder if need be and writes the report's files, each whole or not at all; other files stay.
    ///
    /// The same report gives the same bytes. Throws ``VernierError/Code/fileAccess`` if something cannot be written.
    public func write(_ report: FrontierReport) throws {
        let json = try report.json().canonicalText(), markdown = try report.markdown()
        let picture = try report.chart.picture()
        do {
            try FileManager.default.createDirectory(atPath: "\(path)/profiles", withIntermediateDirectories: true)
        } catch {
            throw VernierError(
                .fileAccess, at: fileName(of: path), problems: ["cannot make the folder"],
                remedy: "Check that '\(path)' can be written and is no file.", underlying: error)
        }
        for place in report.paretoSet {
            let point = report.points[place]
            try point.profile.write(to: "\(path)/profiles/\(Self.profileName(point)).json")
        }
        try AtomicFile.write(json, to: "\(path)/frontier.json")
        try AtomicFile.write(markdown, to: "\(path)/frontier.md")
        try AtomicFile.write(report.chart.svg(), to: "\(path)/frontier.svg")
        try PNGFile.write(picture, to: "\(path)/frontier.png")
    }

    /// `pooling-plan-10pc-int8`: letters, digits, points and hyphens only.
    static func profileName(_ point: FrontierPoint) -> String {
        let budget = point.budget.shortLabel.replacing(" %", with: "pc").replacing(" ", with: "")
        return "\(point.method)-\(budget)-\(point.storage.name)"
    }
}
