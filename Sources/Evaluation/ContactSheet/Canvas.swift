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
