import ArgumentParser
import Presentation
import Foundation
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
        if try Self.isHDF5(file) {
            let statistics = try StatisticsFile.read(file)
            print(try json ? StatisticsSheet(statistics).json().canonicalText() : StatisticsSheet(statistics).text())
        } else {
            let profile = try Profile(contentsOf: file)
            print(try json ? profile.canonicalText() : ProfileSheet(profile).text())
        }
    }

    /// The eight bytes that every HDF5 file begins with.
    private static func isHDF5(_ path: String) throws -> Bool {
        let file = try MappedFile(path: path)
        return withExtendedLifetime(file) {
            file.bytes.prefix(8).elementsEqual([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A])
        }
    }
}
