import VernierCore

/// An 8-bit RGB picture in memory, rows from top to bottom.
public struct Picture: Sendable, Hashable {
    /// Columns; at least 1.
    public let width: Int
    /// Rows; at least 1.
    public let height: Int
    /// Red, green, blue of every pixel, `[height, width, 3]` row-major.
    public let pixels: [UInt8]

    /// Wraps pixels laid out as `[height, width, 3]`.
    ///
    /// Throws ``VernierCore/VernierError/Code/invalidArgument`` if a side is below 1 or the number of bytes is not
    /// `3 * width * height`.
    public init(width: Int, height: Int, pixels: [UInt8]) throws {
        try Self.check(width: width, height: height, values: pixels.count)
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// Converts decoder output `[3, height, width]` in [-1, 1] to bytes: `clamp((v + 1) / 2, 0, 1) * 255`, truncated.
    ///
    /// Float32 arithmetic in the order of the reference (FoundationVision/Infinity: `infinity/models/infinity.py`,
    /// end of `autoregressive_infer_cfg`), which clamps, truncates rather than rounds, and then swaps to BGR for
    /// OpenCV; pictures here stay RGB.
    ///
    /// Throws ``VernierCore/VernierError/Code/invalidArgument`` on a wrong count and
    /// ``VernierCore/VernierError/Code/nonFinite`` if a value is infinite or not a number.
    public init(planar values: UnsafeBufferPointer<Float>, width: Int, height: Int) throws {
        try Self.check(width: width, height: height, values: values.count)
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            let plane = width * height
            throw VernierError(
                .nonFinite, at: "picture",
                expected: "finite values",
                found: "\(values[index]) in channel \(index / plane), row \(index % plane / width), "
                    + "column \(index % width)",
                remedy: "Check the weights and the storage format of the cache: the decoder's output is not usable.")
        }
        let plane = width * height
        self.width = width
        self.height = height
        self.pixels = [UInt8](unsafeUninitializedCapacity: 3 * plane) { bytes, count in
            for channel in 0..<3 {
                for pixel in 0..<plane {
                    let unit = (values[channel * plane + pixel] + 1) / 2
                    bytes[3 * pixel + channel] = UInt8(min(max(unit, 0), 1) * 255)
                }
            }
            count = 3 * plane
        }
    }

    private static func check(width: Int, height: Int, values: Int) throws {
        guard width >= 1, height >= 1 else {
            throw VernierError(
                .invalidArgument, at: "picture", expected: "sides of at least 1 pixel", found: "\(width) x \(height)")
        }
        let (plane, planeOverflow) = width.multipliedReportingOverflow(by: height)
        let (expected, overflow) = plane.multipliedReportingOverflow(by: 3)
        guard !planeOverflow, !overflow, expected == values else {
            throw VernierError(
                .invalidArgument, at: "picture", expected: "3 x \(width) x \(height) values", found: "\(values)")
        }
    }
}
