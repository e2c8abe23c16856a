import ArgumentParser
import Foundation
import Presentation
import ProfileFormat
import StatisticsFile
import VernierCore

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a profile or a statistics file for people.")

    @Argument(help: "Profile (JSON) or statistics (HDF5).")
    var file: String
    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        if try !Self.looksLikeJSON(file) {
            let statistics = try StatisticsFile.read(file)
            print(try json ? StatisticsSheet(statistics).json().canonicalText() : StatisticsSheet(statistics).text())
        } else {
            let profile = try Profile(contentsOf: file)
            print(try json ? profile.canonicalText() : ProfileSheet(profile).text())
        }
    }

    /// Whether the first byte that is no white space opens a JSON object; everything else is read as statistics.
    private static func looksLikeJSON(_ path: String) throws -> Bool {
        let file = try MappedFile(path: path)
        return file.withBytes { bytes in
            bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
        }
    }
}
