import Generation
import Testing
import VernierCore

@Suite struct PictureTests {
    @Test func decoderOutputIsClampedAndTruncated() throws {
        // (v + 1) / 2 * 255 for -1, 0, 1, just below the next step, and two values beyond the range.
        let red: [Float] = [-1, 0, 1]
        let green: [Float] = [-0.9999, 1.5, -7]
        let blue: [Float] = [0.999, -0.9921, 0.5]
        let picture = try (red + green + blue).withUnsafeBufferPointer {
            try Picture(planar: $0, width: 3, height: 1)
        }
        #expect(picture.pixels == [0, 0, 254, 127, 255, 1, 255, 0, 191])
    }

    @Test func wrongCountsAreRefused() {
        #expect(throws: VernierError.self) { try Picture(width: 2, height: 2, pixels: [1, 2, 3]) }
        #expect(throws: VernierError.self) { try Picture(width: 0, height: 2, pixels: []) }
        #expect(throws: VernierError.self) { try Picture(width: -1, height: -3, pixels: [0]) }
        #expect(throws: VernierError.self) { try Picture(width: .max, height: 2, pixels: []) }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func valuesThatAreNotFiniteAreRefused(value: Float) throws {
        var values = [Float](repeating: 0, count: 12)
        values[7] = value  // channel 1, row 1, column 1
        let error = #expect(throws: VernierError.self) {
            try values.withUnsafeBufferPointer { try Picture(planar: $0, width: 2, height: 2) }
        }
        #expect(error?.code == .nonFinite)
        #expect(error?.description.contains("channel 1, row 1, column 1") == true)
    }
}
