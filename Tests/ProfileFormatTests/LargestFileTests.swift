import TestSupport
import Testing
import VernierCore

@testable import ProfileFormat

/// What is written can be read again: both have one limit.
@Suite struct LargestFileTests {
    @Test func whatIsTooLongToBeReadIsNotWritten() throws {
        let folder = TemporaryDirectory()
        let path = folder.file("p.json"), profile = try Examples.profile()
        let text = try profile.canonicalText(), size = text.utf8.count
        let error = try #require(throws: VernierError.self) { try profile.write(to: path, largestBytes: size - 1) }
        #expect(error.code == .invalidArgument && error.place == "p.json")
        #expect(
            error.problems == [
                "expected a profile of at most \(size - 1) bytes, the most that are read, found \(size) bytes"
            ])
        #expect(throws: VernierError.self, "nothing was written") { try MappedFile(path: path) }
        try AtomicFile.write("as it was", to: path)
        #expect(throws: VernierError.self) { try profile.write(to: path, largestBytes: size - 1) }
        #expect(try MappedFile(path: path).withBytes { Array($0) } == Array("as it was".utf8))
        try profile.write(to: path, largestBytes: size)
        #expect(try Profile(contentsOf: path) == profile)
    }

    @Test func whatIsTooLongIsNotRead() throws {
        let profile = try Examples.profile(), text = try profile.canonicalText(), size = text.utf8.count
        #expect(try Profile(parsing: text, name: "p.json", largestBytes: size) == profile)
        let error = try #require(throws: VernierError.self) {
            try Profile(parsing: text, name: "p.json", largestBytes: size - 1)
        }
        #expect(error.code == .malformedFile)
        #expect(error.problems == ["expected a profile of at most \(size - 1) bytes, found \(size) bytes"])
    }
}
