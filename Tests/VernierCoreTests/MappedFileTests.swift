import Foundation
import TestSupport
import Testing
import VernierCore

@Suite struct MappedFileTests {
    @Test func aPipeIsRefusedInsteadOfWaitedFor() throws {
        let folder = TemporaryDirectory()
        #expect(mkfifo(folder.file("pipe.safetensors"), 0o600) == 0)
        let error = #expect(throws: VernierError.self) { try MappedFile(path: folder.file("pipe.safetensors")) }
        #expect(error?.code == .fileAccess)
        #expect(error?.description.contains("pipe.safetensors: expected a regular file") == true, "\(error as Any)")
    }

    /// Kilobytes of the map that begins at `start` which count as this process's memory.
    private func residentKilobytes(at start: UnsafeRawPointer) throws -> Int? {
        let heading = String(UInt(bitPattern: start), radix: 16) + "-"
        let handle = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
        let lines = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self).split(separator: "\n")
        guard let first = lines.firstIndex(where: { $0.hasPrefix(heading) }) else { return nil }
        return lines[first...].first { $0.hasPrefix("Rss:") }.flatMap { $0.split(separator: " ").dropFirst().first }
            .flatMap { Int($0) }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/smaps")))
    func whatIsReleasedTakesNoMemoryAndReadsTheSame() throws {
        let folder = TemporaryDirectory(), path = folder.file("large.bin")
        var random = SplitMix64(seed: 3)
        let content = (0..<(1 << 19)).map { _ in UInt64.random(in: 0...UInt64.max, using: &random) }
        try content.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
        let file = try MappedFile(path: path)
        try file.withBytes { bytes in
            let start = try #require(bytes.baseAddress)
            #expect(bytes.elementsEqual(content.withUnsafeBytes { Array($0) }))
            let before = try #require(try residentKilobytes(at: start))
            #expect(before >= 4000, "all that was read counts")
            // All but a part of the first page and of the last.
            file.release(UnsafeRawBufferPointer(rebasing: bytes[100..<bytes.count - 100]))
            let after = try #require(try residentKilobytes(at: start))
            #expect(after <= 8, "the first and the last page at most")
            #expect(bytes.elementsEqual(content.withUnsafeBytes { Array($0) }))
        }
    }
}
