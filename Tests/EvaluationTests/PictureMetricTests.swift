import Evaluation
import Foundation
import Generation
import TestSupport
import Testing
import VernierCore

@Suite struct PictureMetricTests {
    private func constant(_ value: UInt8, _ width: Int = 12, _ height: Int = 12) throws -> Picture {
        try Picture(width: width, height: height, pixels: [UInt8](repeating: value, count: 3 * width * height))
    }

    /// The pictures for which the values below were computed by a direct, two-dimensional implementation in Python.
    private func pattern(_ width: Int, _ height: Int, _ k: Int) throws -> Picture {
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<3 {
                    let value: Int = x * x * 3 + y * 7 * k + c * 29 + x * y * k
                    pixels.append(UInt8(value % 256))
                }
            }
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    // MARK: PSNR

    @Test func peakSignalNoiseHasItsTextbookValues() throws {
        let grey = try constant(100)
        #expect(try PeakSignalNoise.meanSquaredError(try constant(101), grey) == 1)
        #expect(abs(try PeakSignalNoise.decibels(try constant(101), grey) - 48.130803608679) < 1e-9)
        #expect(try PeakSignalNoise.decibels(try constant(0), try constant(255)) == 0)
        #expect(try PeakSignalNoise.decibels(grey, grey) == .infinity)
        // One channel of one pixel off by ten: MSE = 100 / 3.
        let one = try Picture(width: 1, height: 1, pixels: [10, 20, 30])
        let other = try Picture(width: 1, height: 1, pixels: [10, 30, 30])
        #expect(abs(try PeakSignalNoise.meanSquaredError(one, other) - 100.0 / 3) < 1e-12)
    }

    @Test func meansTreatEqualPicturesAsStated() throws {
        #expect(PeakSignalNoise.cappedMean([.infinity, 21]) == 60)
        #expect(PeakSignalNoise.cappedMean([]) == nil)
        #expect(PeakSignalNoise.pooled(meanSquaredErrors: [0, 0]) == .infinity)
        let pooled = try #require(PeakSignalNoise.pooled(meanSquaredErrors: [0, 2]))
        #expect(abs(pooled - 48.130803608679) < 1e-9)
        #expect(PeakSignalNoise.pooled(meanSquaredErrors: []) == nil)
    }

    @Test func picturesOfOtherSidesAreRefused() throws {
        let error = #expect(throws: VernierError.self) {
            try PeakSignalNoise.decibels(try constant(1, 4, 3), try constant(1, 3, 4))
        }
        #expect(
            error?.description
                == """
                pictures: expected 3 x 4 pixels as the reference, found 4 x 3. Compare pictures of one model and one \
                scale schedule.
                """)
        #expect(throws: VernierError.self) {
            try StructuralSimilarity.mean(try constant(1, 4, 3), try constant(1, 3, 4))
        }
    }

    // MARK: SSIM

    @Test func similarityOfFlatPicturesIsTheLuminanceTerm() throws {
        // Without variance ssim = (2ab + C1) / (a^2 + b^2 + C1).
        let expected: Double = 30_006.5025 / 32_506.5025
        #expect(abs(try StructuralSimilarity.mean(try constant(100), try constant(150)) - expected) < 1e-9)
    }

    @Test(arguments: [
        (20, 17, -0.36938808084031366, 0.9996830701626117), (11, 11, -0.1829458976153516, 0.9994545091692092),
        (7, 30, -0.1128150887110871, 0.9996277657233543), (4, 1, 1.0, 0.9940965830962798),
    ]) func similarityMatchesADirectImplementation(width: Int, height: Int, other: Double, near: Double) throws {
        let picture = try pattern(width, height, 1)
        #expect(abs(try StructuralSimilarity.mean(picture, try pattern(width, height, 2)) - other) < 1e-9)
        let nudged = picture.pixels.enumerated().map { index, value in
            let moved: Int = Int(value) + index % 7 - 3
            return UInt8(min(max(moved, 0), 255))
        }
        let neighbour = try Picture(width: width, height: height, pixels: nudged)
        #expect(abs(try StructuralSimilarity.mean(picture, neighbour) - near) < 1e-9)
    }

    @Test func similarityIsSymmetricAtMostOneAndOneForEqualPictures() throws {
        try withEvery("side", in: [1, 2, 3, 10, 11, 12, 25]) { side in
            let (a, b) = (try pattern(side, side + 3, 1), try pattern(side, side + 3, 5))
            let forth = try StructuralSimilarity.mean(a, b)
            #expect(abs(forth - (try StructuralSimilarity.mean(b, a))) < 1e-12)
            #expect(forth <= 1 && forth >= -1)
            #expect(abs(try StructuralSimilarity.mean(a, a) - 1) < 1e-12)
        }
    }
}
