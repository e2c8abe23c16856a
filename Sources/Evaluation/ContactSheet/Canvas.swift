import Generation
import VernierCore

/// A picture under construction: white, then painted on. What lies outside is cut off.
struct Canvas {
    let width: Int
    let height: Int
    private var pixels: [UInt8]

    /// Makes a white canvas.
    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        pixels = [UInt8](repeating: 255, count: 3 * width * height)
    }

    /// The finished picture.
    func picture() throws -> Picture { try Picture(width: width, height: height, pixels: pixels) }

    /// Paints a rectangle in one shade of grey.
    mutating func fill(left: Int, top: Int, width: Int, height: Int, grey: UInt8) {
        for row in max(top, 0)..<max(min(top + height, self.height), max(top, 0)) {
            for column in max(left, 0)..<max(min(left + width, self.width), max(left, 0)) {
                for channel in 0..<3 { pixels[3 * (row * self.width + column) + channel] = grey }
            }
        }
    }

    /// Draws a straight stroke with round ends and smooth edges; coordinates are pixels, (0, 0) the outer corner of the
    /// first one. A stroke from a point to itself is a disc.
    mutating func stroke(
        from start: (x: Double, y: Double), to end: (x: Double, y: Double), width: Double, colour: SIMD3<UInt8>
    ) {
        let reach = width / 2 + 1
        let rows = span(min(start.y, end.y) - reach, max(start.y, end.y) + reach, below: height)
        let columns = span(min(start.x, end.x) - reach, max(start.x, end.x) + reach, below: self.width)
        let (dx, dy) = (end.x - start.x, end.y - start.y)
        let squared = dx * dx + dy * dy
        for row in rows {
            for column in columns {
                let (px, py) = (Double(column) + 0.5 - start.x, Double(row) + 0.5 - start.y)
                let along = squared > 0 ? min(max((px * dx + py * dy) / squared, 0), 1) : 0
                let (rx, ry) = (px - along * dx, py - along * dy)
                let cover = min(max(width / 2 + 0.5 - (rx * rx + ry * ry).squareRoot(), 0), 1)
                if cover > 0 { blend(row, column, colour, cover) }
            }
        }
    }

    private func span(_ low: Double, _ high: Double, below bound: Int) -> Range<Int> {
        let first = Int(max(low.rounded(.down), 0)), last = Int(min(high.rounded(.up), Double(bound)))
        return first..<max(first, last)
    }

    private mutating func blend(_ row: Int, _ column: Int, _ colour: SIMD3<UInt8>, _ cover: Double) {
        let place = 3 * (row * width + column)
        for channel in 0..<3 {
            let value = Double(pixels[place + channel]) * (1 - cover) + Double(colour[channel]) * cover
            pixels[place + channel] = UInt8(value.rounded())
        }
    }

    /// Paints a picture, each of its pixels as `scale` x `scale`.
    mutating func draw(_ picture: Picture, left: Int, top: Int, scale: Int) {
        for row in max(top, 0)..<max(min(top + picture.height * scale, height), max(top, 0)) {
            for column in max(left, 0)..<max(min(left + picture.width * scale, width), max(left, 0)) {
                let source = 3 * ((row - top) / scale * picture.width + (column - left) / scale)
                let target = 3 * (row * width + column)
                for channel in 0..<3 { pixels[target + channel] = picture.pixels[source + channel] }
            }
        }
    }

    /// Writes one line of text in black, each pixel of the font as `scale` x `scale`.
    mutating func write(_ characters: [UInt8], left: Int, top: Int, scale: Int) {
        for (index, character) in characters.enumerated() {
            for row in 0..<BitmapFont.glyphHeight {
                for column in 0..<BitmapFont.glyphWidth
                where BitmapFont.isSet(character, column: column, row: row) {
                    fill(
                        left: left + (index * BitmapFont.advance + column) * scale, top: top + row * scale,
                        width: scale, height: scale, grey: 0)
                }
            }
        }
    }
}
