import Foundation
import Generation
import VernierCore

/// Structural similarity of two pictures on their luma, at most 1, 1 only for equal luma.
///
/// For every place of an 11 x 11 Gaussian window (sigma 1.5, weights summing to 1) that lies inside the picture, with
/// the window's means m, variances v and covariance c,
///
///     ssim = (2 m_a m_b + C1) (2 c + C2) / ((m_a^2 + m_b^2 + C1) (v_a + v_b + C2)),
///
/// C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2; the result is the mean over all places.
///
/// Luma is 0.299 R + 0.587 G + 0.114 B, not rounded. Float64 throughout.
///
/// Source: Wang, Bovik, Sheikh, Simoncelli 2004, IEEE Transactions on Image Processing 13(4), equations 13-16.
/// Deviations: no downsampling of large pictures (the paper has none, its later code has); a picture with a side below
/// 11 is measured with the largest odd window that fits that side, of the same sigma.
public enum StructuralSimilarity {
    /// The window's side in pixels.
    public static let windowSide = 11
    /// The standard deviation of the window in pixels.
    public static let windowSigma = 1.5

    /// The mean similarity of two pictures of equal sides.
    ///
    /// Throws ``VernierCore/VernierError/Code/mismatch`` if the sides differ.
    /// - Complexity: O(width * height * window side).
    public static func mean(_ picture: Picture, _ reference: Picture) throws -> Double {
        try PeakSignalNoise.requireEqualSides(picture, reference)
        let (width, height) = (picture.width, picture.height)
        let (a, b) = (luma(picture), luma(reference))
        let across = window(side: largestOdd(width))
        let down = window(side: largestOdd(height))
        func filter(_ plane: [Double]) -> [Double] {
            filterDown(filterAcross(plane, width, height, across), width - across.count + 1, height, down)
        }
        let meanA = filter(a)
        let meanB = filter(b)
        let squareA = filter(zip(a, a).map(*))
        let squareB = filter(zip(b, b).map(*))
        let product = filter(zip(a, b).map(*))
        let (c1, c2) = (0.01 * 255 * 0.01 * 255, 0.03 * 255 * 0.03 * 255)
        var sum = 0.0
        for place in meanA.indices {
            let (ma, mb) = (meanA[place], meanB[place])
            let (va, vb) = (squareA[place] - ma * ma, squareB[place] - mb * mb)
            let covariance = product[place] - ma * mb
            let numerator: Double = (2 * ma * mb + c1) * (2 * covariance + c2)
            let denominator: Double = (ma * ma + mb * mb + c1) * (va + vb + c2)
            sum += numerator / denominator
        }
        return sum / Double(meanA.count)
    }

    /// `[height, width]` luma, 0 to 255.
    private static func luma(_ picture: Picture) -> [Double] {
        (0..<picture.width * picture.height).map { pixel in
            let red = Double(picture.pixels[3 * pixel])
            let green = Double(picture.pixels[3 * pixel + 1])
            let blue = Double(picture.pixels[3 * pixel + 2])
            return 0.299 * red + 0.587 * green + 0.114 * blue
        }
    }

    private static func largestOdd(_ side: Int) -> Int { min(windowSide, side - (side + 1) % 2) }

    /// One side of the separable window.
    private static func window(side: Int) -> [Double] {
        let raw = (0..<side).map { index in
            let distance = Double(index - side / 2)
            return exp(-distance * distance / (2 * windowSigma * windowSigma))
        }
        let sum = raw.reduce(0, +)
        return raw.map { $0 / sum }
    }

    private static func filterAcross(_ plane: [Double], _ width: Int, _ height: Int, _ window: [Double]) -> [Double] {
        var result: [Double] = []
        result.reserveCapacity(height * (width - window.count + 1))
        for row in 0..<height {
            for column in 0...(width - window.count) {
                var sum = 0.0
                for (tap, weight) in window.enumerated() { sum += weight * plane[row * width + column + tap] }
                result.append(sum)
            }
        }
        return result
    }

    private static func filterDown(_ plane: [Double], _ width: Int, _ height: Int, _ window: [Double]) -> [Double] {
        var result: [Double] = []
        result.reserveCapacity(width * (height - window.count + 1))
        for row in 0...(height - window.count) {
            for column in 0..<width {
                var sum = 0.0
                for (tap, weight) in window.enumerated() { sum += weight * plane[(row + tap) * width + column] }
                result.append(sum)
            }
        }
        return result
    }
}
