import Evaluation
import Generation
import TestSupport
import Testing
import VernierCore

@Suite struct PNGFileTests {
    private func randomPicture(_ width: Int, _ height: Int, seed: UInt64) throws -> Picture {
        var generator = SplitMix64(seed: seed)
        let pixels = (0..<3 * width * height).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    private func decode(_ bytes: [UInt8]) throws -> Picture {
        try bytes.withUnsafeBytes { try PNGFile.decode($0, name: "test.png") }
    }

    @Test func picturesComeBackEqual() throws {
        let folder = TemporaryDirectory()
        try withEvery("sides", in: [(1, 1), (1, 37), (64, 48), (301, 7)]) { width, height in
            let picture = try randomPicture(width, height, seed: UInt64(width))
            try PNGFile.write(picture, to: folder.file("a.png"))
            #expect(try PNGFile.read(folder.file("a.png")) == picture)
        }
    }

    @Test func samePicturesGiveSameBytes() throws {
        let picture = try randomPicture(50, 40, seed: 3)
        let folder = TemporaryDirectory()
        try PNGFile.write(picture, to: folder.file("a.png"))
        try PNGFile.write(picture, to: folder.file("b.png"))
        let (a, b) = (try MappedFile(path: folder.file("a.png")), try MappedFile(path: folder.file("b.png")))
        #expect(Array(a.bytes) == Array(b.bytes))
        #expect(try PNGFile.encode(picture) == Array(a.bytes))
    }

    @Test func greyAndTransparentFilesBecomeRGB() throws {
        // One row: filter byte, then two grey pixels.
        let grey = HandmadePNG.file(width: 2, height: 1, colourType: 0, rows: [0, 10, 250])
        #expect(try decode(grey).pixels == [10, 10, 10, 250, 250, 250])
        // Red, wholly opaque, then green, wholly transparent: laid on white.
        let alpha = HandmadePNG.file(width: 2, height: 1, colourType: 6, rows: [0, 255, 0, 0, 255, 0, 255, 0, 0])
        #expect(try decode(alpha).pixels == [255, 0, 0, 255, 255, 255])
    }

    @Test func filesThatAreNoPNGAreRefused() {
        for bytes in [[], [0x89], Array("not a picture".utf8), Array("\u{89}PNG\r\n\u{1A}\n".utf8)] as [[UInt8]] {
            let error = #expect(throws: VernierError.self) { try decode(bytes) }
            #expect(error?.code == .malformedFile)
        }
    }

    @Test func missingFilesAreReported() {
        let error = #expect(throws: VernierError.self) { try PNGFile.read("no-such-folder/a.png") }
        #expect(error?.code == .fileAccess)
        let picture = #expect(throws: VernierError.self) {
            try PNGFile.write(try randomPicture(2, 2, seed: 1), to: "no-such-folder/a.png")
        }
        #expect(picture?.code == .fileAccess)
    }

    @Test func sidesBeyondTheLimitsAreRefusedBeforeMemoryIsTaken() throws {
        for (width, height) in [(16_385, 1), (1, 16_385), (16_384, 16_384), (1_000_000, 1_000_000)] {
            let bytes = HandmadePNG.file(width: width, height: height, colourType: 2, rows: [0])
            let error = #expect(throws: VernierError.self) { try decode(bytes) }
            #expect(error?.code == .malformedFile)
        }
        let error = #expect(throws: VernierError.self) {
            try decode(HandmadePNG.file(width: 16_385, height: 1, colourType: 2, rows: [0]))
        }
        #expect(
            error?.description
                == "test.png: expected at most 16384 pixels a side and 67108864 in all, found 16385 x 1.")
        let wide = try Picture(width: 16_385, height: 1, pixels: [UInt8](repeating: 0, count: 3 * 16_385))
        #expect(throws: VernierError.self) { try PNGFile.encode(wide) }
    }

    @Test func truncatedFilesAreRefusedOrWhole() throws {
        let picture = try randomPicture(9, 7, seed: 5)
        let bytes = try PNGFile.encode(picture)
        for count in 0..<bytes.count {
            // A file that lacks only its end mark still holds the whole picture.
            if let read = try? decode(Array(bytes[0..<count])) { #expect(read == picture && count > bytes.count - 20) }
        }
    }

    @Test func damagedFilesNeverCrash() throws {
        let bytes = try PNGFile.encode(try randomPicture(16, 16, seed: 9))
        var generator = SplitMix64(seed: 11)
        for _ in 0..<2_000 {
            var damaged = bytes
            for _ in 0..<generator.integer(in: 1..<6) {
                damaged[generator.integer(in: 0..<damaged.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
            do {
                let read = try decode(damaged)
                #expect(read.pixels.count == 3 * read.width * read.height)
            } catch let error as VernierError {
                #expect(error.code == .malformedFile)
            }
        }
    }
}
