import Foundation

extension LineChart {
    /// The chart as an SVG document that ends in a newline.
    package func svg() -> String {
        let (width, height) = (Self.number(Layout.width), Self.number(size.height))
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\" "
                + "viewBox=\"0 0 \(width) \(height)\" font-family=\"sans-serif\" font-size=\"12\">",
            "<rect width=\"\(width)\" height=\"\(height)\" fill=\"#ffffff\"/>",
        ]
        for mark in marks() { lines.append(Self.element(mark)) }
        lines.append("</svg>")
        return lines.map { "\($0)\n" }.joined()
    }

    private static func element(_ mark: ChartMark) -> String {
        switch mark {
        case .line(let x1, let y1, let x2, let y2, let width, let dash, let colour):
            let pattern = dash.isEmpty ? "" : " stroke-dasharray=\"\(dash.map(number).joined(separator: " "))\""
            return "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" "
                + "stroke=\"\(hexadecimal(colour))\" stroke-width=\"\(number(width))\"\(pattern)/>"
        case .disc(let x, let y, let radius, let colour):
            return "<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"\(number(radius))\" "
                + "fill=\"\(hexadecimal(colour))\"/>"
        case .text(let x, let y, let anchor, let text):
            return "<text x=\"\(number(x))\" y=\"\(number(y + 4))\" text-anchor=\"\(anchor.rawValue)\">"
                + "\(escaped(text))</text>"
        }
    }

    private static func hexadecimal(_ colour: SIMD3<UInt8>) -> String {
        String(format: "#%02x%02x%02x", colour[0], colour[1], colour[2])
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
