import Foundation
import Generation
import VernierCore

/// Peak signal-to-noise of 8-bit RGB pictures: `10 log10(255^2 / MSE)` in dB, the mean square taken over all channels.
///
/// Equal pictures have no noise and an infinite value, which no mean survives. So two ways to sum up many pictures,
/// reported side by side:
/// - ``cappedMean(_:)``: the mean of the values in dB, each cut at ``capDecibels``; what papers call "PSNR". One picture
///   reproduced exactly can add at most the cap.
/// - ``pooled(meanSquaredErrors:)``: the value of the mean square over all pictures; bad pictures weigh most.
public enum PeakSignalNoise {
    /// What equal pictures count as in ``cappedMean(_:)``. One wrong step in a 1024 x 1024 picture is 113 dB, in a
    /// 64 x 64 picture 89 dB: above the cap, two pictures are the same to any eye.
    public static let capDecibels = 99.0

    /// The mean square of the byte differences over all pixels and channels, 0 to 65,025.
    ///
    /// Exact up to one rounding: squares are summed as whole numbers. Throws
    /// ``VernierCore/VernierError/Code/mismatch`` if the sides differ.
    public static func meanSquaredError(_ picture: Picture, _ reference: Picture) throws -> Double {
        try requireEqualSides(picture, reference)
        var sum: UInt64 = 0
        for (a, b) in zip(picture.pixels, reference.pixels) {
            let difference = Int64(a) - Int64(b)
            sum += UInt64(difference * difference)
        }
        return Double(sum) / Double(picture.pixels.count)
    }

    /// `10 log10(255^2 / MSE)`; infinity for 0.
    public static func decibels(meanSquaredError: Double) -> Double {
        10 * log10(255 * 255 / meanSquaredError)
    }

    /// The value of one picture against another; infinity if they are equal.
    public static func decibels(_ picture: Picture, _ reference: Picture) throws -> Double {
        decibels(meanSquaredError: try meanSquaredError(picture, reference))
    }

    /// The mean of values in dB, each cut at ``capDecibels``; nil without values.
    public static func cappedMean(_ decibels: [Double]) -> Double? {
        guard !decibels.isEmpty else { return nil }
        return decibels.reduce(0) { $0 + min($1, capDecibels) } / Double(decibels.count)
    }

    /// The value of the mean of mean squares of pictures of equal size; nil without values, infinity if all are 0.
    public static func pooled(meanSquaredErrors: [Double]) -> Double? {
        guard !meanSquaredErrors.isEmpty else { return nil }
        return decibels(meanSquaredError: meanSquaredErrors.reduce(0, +) / Double(meanSquaredErrors.count))
    }

    static func requireEqualSides(_ picture: Picture, _ reference: Picture) throws {
        guard picture.width == reference.width, picture.height == reference.height else {
            throw VernierError(
                .mismatch, at: "pictures", expected: "\(reference.width) x \(reference.height) pixels as the reference",
                found: "\(picture.width) x \(picture.height)",
                remedy: "Compare pictures of one model and one scale schedule.")
        }
    }
}
