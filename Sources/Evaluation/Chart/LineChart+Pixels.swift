import Generation

extension LineChart {
    /// The chart as pixels, two a point along each side.
    package func picture() throws -> Picture {
        let scale = 2
        var canvas = Canvas(width: Int(Layout.width) * scale, height: Int(size.height) * scale)
        for mark in marks() { Self.paint(mark, Double(scale), &canvas) }
        return try canvas.picture()
    }

    private static func paint(_ mark: ChartMark, _ scale: Double, _ canvas: inout Canvas) {
        switch mark {
        case .line(let x1, let y1, let x2, let y2, let width, let dash, let colour):
            let length = ((x2 - x1) * (x2 - x1) + (y2 - y1) * (y2 - y1)).squareRoot()
            for (first, last) in strokes(length: length, dash: dash) {
                func place(_ along: Double) -> (x: Double, y: Double) {
                    let share = length > 0 ? along / length : 0
                    return (scale * (x1 + share * (x2 - x1)), scale * (y1 + share * (y2 - y1)))
                }
                canvas.stroke(from: place(first), to: place(last), width: width * scale, colour: colour)
            }
        case .disc(let x, let y, let radius, let colour):
            let centre = (x: x * scale, y: y * scale)
            canvas.stroke(from: centre, to: centre, width: 2 * radius * scale, colour: colour)
        case .text(let x, let y, let anchor, let text):
            let characters = BitmapFont.characters(text), size = Int(scale)
            let width = Double(characters.count * BitmapFont.advance * size)
            let shift = anchor == .start ? 0 : anchor == .middle ? width / 2 : width
            canvas.write(
                characters, left: Int((x * scale - shift).rounded()),
                top: Int((y * scale).rounded()) - BitmapFont.glyphHeight * size / 2, scale: size)
        }
    }

    /// Where the strokes of a dashed line of a length begin and end.
    private static func strokes(length: Double, dash: [Double]) -> [(Double, Double)] {
        guard !dash.isEmpty else { return [(0, length)] }
        var strokes: [(Double, Double)] = []
        var (place, index) = (0.0, 0)
        while place < length {
            let next = min(place + dash[index % dash.count], length)
            if index.isMultiple(of: 2) { strokes.append((place, next)) }
            (place, index) = (next, index + 1)
        }
        return strokes
    }
}
