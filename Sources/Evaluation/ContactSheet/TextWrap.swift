/// Breaks text into lines for the bitmap font.
enum TextWrap {
    /// The lines of `text`, broken at spaces, of at most `columns` characters; longer words are cut. At most
    /// `maximumLines`, the last then ending in `...`.
    ///
    /// - Precondition: columns >= 3, maximumLines >= 1.
    static func lines(_ text: String, columns: Int, maximumLines: Int) -> [[UInt8]] {
        precondition(columns >= 3 && maximumLines >= 1, "columns >= 3, maximumLines >= 1")
        var lines: [[UInt8]] = []
        var line: [UInt8] = []
        for word in text.split(whereSeparator: \.isWhitespace) {
            var rest = BitmapFont.characters(word)[...]
            if !line.isEmpty {
                if line.count + 1 + rest.count <= columns {
                    line += [0x20] + rest
                    continue
                }
                lines.append(line)
            }
            while rest.count > columns {
                lines.append(Array(rest.prefix(columns)))
                rest = rest.dropFirst(columns)
            }
            line = Array(rest)
        }
        if !line.isEmpty { lines.append(line) }
        guard lines.count > maximumLines else { return lines }
        lines = Array(lines.prefix(maximumLines))
        lines[maximumLines - 1] = Array(lines[maximumLines - 1].prefix(columns - 3)) + Array("...".utf8)
        return lines
    }
}
