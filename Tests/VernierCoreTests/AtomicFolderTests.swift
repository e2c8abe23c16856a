import Foundation
import TestSupport
import Testing

@testable import VernierCore

@Suite struct AtomicFolderTests {
    private struct Stop: Error {}
    private let folder = TemporaryDirectory()

    @Test func allFilesOrNoFolder() throws {
        #expect(throws: Stop.self) {
            try AtomicFolder.make(folder.file("a")) { temporary in
                #expect(temporary.hasPrefix(folder.file("a.")))
                try FileManager.default.createDirectory(
                    atPath: "\(temporary)/inner", withIntermediateDirectories: false)
                try AtomicFile.write("text", to: "\(temporary)/inner/file")
                throw Stop()
            }
        }
        #expect(try FolderListing.names(in: folder.path).isEmpty, "nothing is left of what failed")
        folder.folder("empty")
        for name in ["a", "empty", "slash/"] {
            try AtomicFolder.make(folder.file(name)) { try AtomicFile.write("text", to: "\($0)/file") }
        }
        #expect(try FolderListing.names(in: folder.path) == ["a", "empty", "slash"])
        #expect(try FolderListing.names(in: folder.file("slash")) == ["file"])
        #expect(throws: VernierError.self) { try AtomicFolder.make(folder.file("a")) { _ in } }
        #expect(try String(contentsOfFile: folder.file("a/file"), encoding: .utf8) == "text")
    }

    @Test func roomIsToldBeforeItIsNeeded() throws {
        let available = try #require(DiskSpace.available(at: folder.path))
        #expect(available > 0)
        try DiskSpace.require(1, at: folder.file("not/yet/there"))
        try DiskSpace.require(1, at: "relative")
        #expect {
            try DiskSpace.require(Int.max, at: folder.file("model"))
        } throws: { "\($0)".hasPrefix("model: expected room for \(Int.max) bytes on the disk, found ") }
    }
}
